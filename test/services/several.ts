/**
 * Makes one service of several servers: `build` starts them and hands each to `keep`. They end together, the last first, and also
 * when `build` fails.
 */
export async function startSeveral<Built>(
  build: (keep: <Server extends AsyncDisposable>(server: Server) => Server) => Promise<Built>,
): Promise<Built & AsyncDisposable> {
  const servers: AsyncDisposable[] = []
  const close = async () => {
    for (const server of servers.splice(0).reverse()) await server[Symbol.asyncDispose]()
  }
  try {
    const built = await build(server => {
      servers.push(server)
      return server
    })
    return {...built, [Symbol.asyncDispose]: close}
  } catch (error) {
    await close()
    throw error
  }
}
