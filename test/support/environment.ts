/** Runs `work` with these variables in the environment of this process; undefined takes one away. */
export async function withEnvironment<T>(
  variables: Readonly<Record<string, string | undefined>>,
  work: () => Promise<T>,
): Promise<T> {
  const before = Object.keys(variables).map(name => [name, process.env[name]] as const)
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) Reflect.deleteProperty(process.env, name)
    else process.env[name] = value
  }
  for (const [name, value] of Object.entries(variables)) set(name, value)
  try {
    return await work()
  } finally {
    for (const [name, value] of before) set(name, value)
  }
}
