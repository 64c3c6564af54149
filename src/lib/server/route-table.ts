import type {Context} from './context.js'
import {adminRuleRoutes} from './routes/admin-rules.js'
import {adminUserRoutes} from './routes/admin-users.js'
import {adminRoutes} from './routes/admin.js'
import {fetchRoutes} from './routes/fetch.js'
import {fileRoutes} from './routes/files.js'
import {frontRoutes} from './routes/front.js'
import {healthRoutes} from './routes/health.js'
import {listingRoutes} from './routes/listing.js'
import {loginRoutes} from './routes/login.js'
import {passwordRoutes} from './routes/password.js'
import {registrationRoutes} from './routes/registration.js'
import {openApiRoutes} from './routes/openapi.js'
import {packageRoutes} from './routes/packages.js'
import {projectRoutes} from './routes/projects.js'
import {searchRoutes} from './routes/search.js'
import {simpleRoutes} from './routes/simple.js'
import {staticRoutes} from './routes/static.js'
import {tokenRoutes} from './routes/tokens.js'
import {uploadRoutes} from './routes/uploads.js'
import {userRoutes} from './routes/users.js'
import type {Route} from './routing/route.js'

/** Every route, in the order in which the documentation tells of them. */
export function routeTable(context: Context): Route[] {
  const table = [
    ...frontRoutes(context),
    ...simpleRoutes(context),
    ...fileRoutes(context),
    ...uploadRoutes(context),
    ...searchRoutes(context),
    ...packageRoutes(context),
    ...projectRoutes(context),
    ...listingRoutes(context),
    ...fetchRoutes(context),
    ...loginRoutes(context),
    ...registrationRoutes(context),
    ...passwordRoutes(context),
    ...userRoutes(context),
    ...tokenRoutes(context),
    ...staticRoutes(),
    ...adminUserRoutes(context),
    ...adminRuleRoutes(context),
    ...adminRoutes(context),
    ...healthRoutes(context),
  ]
  return [...table, ...openApiRoutes(context, table)]
}
