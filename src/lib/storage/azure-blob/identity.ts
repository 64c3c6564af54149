import {StorageFailed, Unavailable, type PpcError} from '../../errors.js'

/**
 * What @azure/identity threw, as one sentence; undefined for errors of others. They are told by their names: the package is
 * loaded only where the config has neither key nor token.
 * @param what `azure://account/packages can't be used`
 */
export function identityFailure(error: unknown, what: string): PpcError | undefined {
  if (!(error instanceof Error)) return undefined
  const {name} = error
  if (!isRefusal(error) && !['CredentialUnavailableError', 'AggregateAuthenticationError'].includes(name)) {
    return undefined
  }
  const tried = 'errors' in error ? (error.errors as Error[]) : [error]
  const refusal = tried.find(isRefusal) // by an identity that this process has; the others are those it has not
  if (refusal === undefined) {
    const message = `${what}: no Azure credentials were found; set storage.storage_account_key or storage.storage_sas_token, or give the process an identity`
    return new StorageFailed(message, {cause: error})
  }
  if (/network_error|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT/.test(refusal.message)) {
    const message = `${what}: the service that gives tokens to the identity of this process can't be reached; check the network and the proxy of HTTPS_PROXY`
    return new Unavailable(message, {cause: error})
  }
  return new StorageFailed(`${what}: the identity of this process gets no token: ${reasonIn(refusal)}`, {
    cause: error,
  })
}

const isRefusal = ({name}: Error): boolean =>
  name === 'AuthenticationError' || name === 'AuthenticationRequiredError'

/** `AADSTS700016: Application with identifier … was not found`, without the numbers before and the traces behind it. */
const reasonIn = ({message}: Error): string =>
  (message.split(/\r?\n/)[0] ?? '').replace(/^.* - Description: /, '').slice(0, 300)
