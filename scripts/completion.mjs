// Completion for bash, zsh and fish, made from what oclif knows of the commands.

/** @returns {Record<'bash' | 'zsh' | 'fish', string>} scripts for `ppc` and every other bin. */
export function completionScripts(config, pjson) {
  const commands = Object.fromEntries(
    config.commands.map(command => [command.id.replaceAll(':', ' '), describe(command)]),
  )
  const tools = Object.keys(pjson.bin)
    .filter(bin => bin !== 'ppc')
    .map(bin => [bin, bin.replace(/^(?:ppc|pypicloud)-/, '')])
  return {bash: bash(commands, tools), zsh: zsh(commands, tools), fish: fish(commands, tools)}
}

function describe(command) {
  const options = Object.values(command.flags)
    .filter(flag => !flag.hidden)
    .map(flag => ({
      name: flag.name,
      char: flag.char,
      summary: (flag.summary ?? flag.description ?? '').replace(/\.$/, ''),
      takesValue: flag.type === 'option',
      choices: flag.options ?? [],
    }))
  const help = {name: 'help', char: 'h', summary: 'Show help', takesValue: false, choices: []}
  const [argument] = Object.values(command.args)
  return {
    summary: (command.summary ?? '').replace(/\.$/, ''),
    options: [...options, help],
    choices: argument?.options ?? [],
  }
}

const words = ({options, choices}) =>
  [...choices, ...options.flatMap(({name, char}) => (char ? [`--${name}`, `-${char}`] : [`--${name}`]))].join(
    ' ',
  )
const optionNames = ({name, char}) => (char ? `--${name}|-${char}` : `--${name}`)
const groupsOf = commands => [
  ...new Set(
    Object.keys(commands)
      .filter(name => name.includes(' '))
      .map(name => name.split(' ')[0]),
  ),
]
const firstWords = commands => [...new Set(Object.keys(commands).map(name => name.split(' ')[0]))]
const inGroup = (commands, group) =>
  Object.keys(commands)
    .filter(name => name.startsWith(`${group} `))
    .map(name => name.slice(group.length + 1))

function bash(commands, tools) {
  const cases = Object.entries(commands).map(
    ([name, command]) => `    "${name}") words="${words(command)}" ;;`,
  )
  const values = Object.entries(commands).flatMap(([name, {options}]) =>
    options
      .filter(({choices}) => choices.length > 0)
      .flatMap(option =>
        optionNames(option)
          .split('|')
          .map(text => `    "${name} ${text}") words="${option.choices.join(' ')}" ;;`),
      ),
  )
  return `# bash completion of ppc-toolkit: source it, or save it as /etc/bash_completion.d/ppc
_ppc_words() {
  local words=''
  case "$1 $3" in
${values.join('\n')}
  esac
  if [ -z "$words" ]; then
    case "$1" in
    "") words="${firstWords(commands).join(' ')}" ;;
${groupsOf(commands)
  .map(group => `    "${group}") words="${inGroup(commands, group).join(' ')}" ;;`)
  .join('\n')}
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$2"))
}
_ppc() {
  local name="\${COMP_WORDS[1]}"
  case "$name" in
  ${groupsOf(commands).join('|')}) [ "$COMP_CWORD" -gt 2 ] && name="$name \${COMP_WORDS[2]}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && name=''
  _ppc_words "$name" "$2" "$3"
}
complete -o default -F _ppc ppc
${tools
  .map(([bin, name]) => {
    const helper = `_${bin.replaceAll('-', '_')}`
    return `${helper}() { _ppc_words "${name}" "$2" "$3"; }\ncomplete -o default -F ${helper} ${bin}`
  })
  .join('\n')}
`
}

const zshQuoted = text => text.replaceAll("'", '’').replaceAll(/[[\]:]/g, '\\$&')

function zsh(commands, tools) {
  const specs = ({options, choices}) => [
    ...options.flatMap(({name, char, summary, takesValue, choices: values}) => {
      const value = takesValue ? `:value:${values.length > 0 ? `(${values.join(' ')})` : '_files'}` : ''
      const names = char ? [`--${name}`, `-${char}`] : [`--${name}`]
      return names.map(text => `'${text}[${zshQuoted(summary)}]${value}'`)
    }),
    choices.length > 0 ? `'1:value:(${choices.join(' ')})'` : "'*:file:_files'",
  ]
  const cases = Object.entries(commands).map(
    ([name, command]) => `    ${JSON.stringify(name)}) _arguments ${specs(command).join(' ')} ;;`,
  )
  return `#compdef ppc ${tools.map(([bin]) => bin).join(' ')}
# zsh completion of ppc-toolkit: save it as _ppc in a folder of $fpath, or source it
_ppc_command() {
  case "$1" in
${cases.join('\n')}
  esac
}
_ppc_described() {
  local -a found
  found=("$@")
  _describe command found
}
_ppc() {
  case "$service" in
${tools.map(([bin, name]) => `  ${bin}) _ppc_command '${name}'; return ;;`).join('\n')}
  esac
  if (( CURRENT == 2 )); then
    _ppc_described ${firstWords(commands)
      .map(name => `'${name}:${zshQuoted(commands[name]?.summary ?? 'Further commands')}'`)
      .join(' ')}
    return
  fi
  local name="$words[2]"
  shift words; (( CURRENT-- ))
  case "$name" in
${groupsOf(commands)
  .map(
    group => `  ${group})
    if (( CURRENT == 2 )); then
      _ppc_described ${inGroup(commands, group)
        .map(name => `'${name}:${zshQuoted(commands[`${group} ${name}`].summary)}'`)
        .join(' ')}
      return
    fi
    name="$name $words[2]"
    shift words; (( CURRENT-- )) ;;`,
  )
  .join('\n')}
  esac
  _ppc_command "$name"
}
if [ "$funcstack[1]" = _ppc ]; then _ppc "$@"; else compdef _ppc ppc ${tools.map(([bin]) => bin).join(' ')}; fi
`
}

const fishQuoted = text => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function fish(commands, tools) {
  const lines = []
  const optionsOf = (target, {options, choices}, condition) => {
    for (const {name, char, summary, takesValue, choices: values} of options) {
      lines.push(
        ['complete', '-c', target, condition, char && `-s ${char}`, `-l ${name}`, takesValue && '-r']
          .concat(values.length > 0 && `-f -a ${fishQuoted(values.join(' '))}`, `-d ${fishQuoted(summary)}`)
          .filter(Boolean)
          .join(' '),
      )
    }
    if (choices.length > 0) {
      lines.push(`complete -c ${target} ${condition} -f -a ${fishQuoted(choices.join(' '))}`)
    }
  }
  for (const name of firstWords(commands)) {
    const summary = fishQuoted(commands[name]?.summary ?? 'Further commands')
    lines.push(`complete -c ppc -n __fish_use_subcommand -f -a ${name} -d ${summary}`)
  }
  for (const [name, command] of Object.entries(commands)) {
    const [first, second] = name.split(' ')
    if (second) {
      const summary = fishQuoted(command.summary)
      const fresh = `'__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${second}'`
      lines.push(`complete -c ppc -n ${fresh} -f -a ${second} -d ${summary}`)
    }
    const seen = [first, second].filter(Boolean).map(word => `__fish_seen_subcommand_from ${word}`)
    optionsOf('ppc', command, `-n '${seen.join('; and ')}'`)
  }
  for (const [bin, name] of tools) optionsOf(bin, commands[name], '')
  return `# fish completion of ppc-toolkit: save it as ~/.config/fish/completions/ppc.fish\n${lines.join('\n')}\n`
}
