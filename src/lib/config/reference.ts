import type {Field, Fields} from './fields.js'
import {configAccessFamilies, configTokenFamilies} from './schema/access.js'
import {commonTables, parts} from './schema/index.js'
import {variableOf} from './environment.js'

/** All keys that a config may have, as a Markdown document made from the tables that read them. */
export function configReference(): string {
  const common = commonTables.map(({title, schema}) => section(title, schema.fields))
  const backends = parts.flatMap(part =>
    Object.entries(part.schemas).map(([name, schema]) =>
      section(
        `${part.title}: ${name}`,
        {...schema.fields, ...(part.selector === 'auth' ? familiesOf(name) : {})},
        `Read when \`pypi.${part.selector} = ${name}\`.`,
      ),
    ),
  )
  return [introduction, ...common, ...backends].join('\n')
}

/** @param access the short name of an access backend */
function familiesOf(access: string): Fields {
  if (access === 'config') return {...configAccessFamilies, ...configTokenFamilies}
  return access === 'ldap' || access === 'remote' ? configTokenFamilies : {}
}

const introduction = `# Configuration reference

Every key of the \`[app:main]\` section. A key can also be set by an environment variable, which wins over the file:
\`PPC_\` and the key in capitals with underscores for dots, \`storage.dir\` as \`${variableOf('storage.dir')}\`. Lists are separated by
blanks or line breaks. \`%(here)s\` is the directory of the file, and a percent sign is written \`%%\`.
"Since" is the version of pypicloud that introduced a key; ours are marked.
`

const section = (title: string, fields: Fields, note?: string): string => `## ${title}

${note === undefined ? '' : `${note}\n\n`}| key | value | default | since | |
| --- | --- | --- | --- | --- |
${Object.values(fields)
  .map(field => row(field as Field<unknown>))
  .join('\n')}
`

function row(field: Field<unknown>): string {
  const remarks = [
    field.help,
    field.deprecated && `**Deprecated**: ${field.deprecated}.`,
    field.ignored && `**No effect**: ${field.ignored}.`,
    field.environment && `Else the environment variable \`${field.environment}\`.`,
  ]
  const cells = [
    `\`${field.key}\``,
    field.accepts,
    field.required ? '**required**' : shownDefault(field.default),
    field.since ?? '',
    remarks.filter(Boolean).join(' '),
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function shownDefault(value: unknown): string {
  if (value === undefined || value === '' || value instanceof Map) return ''
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : `\`${value.join(' ')}\``
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}
