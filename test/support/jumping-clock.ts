/**
 * Loaded into a process before anything else (`--import`): a while after its start its clock jumps an hour ahead, and then
 * to an hour behind, where it stays. What measures durations goes on evenly, as it does where a clock is set.
 */
const hourMs = 3_600_000
const RealDate = Date
let ahead = 0
setTimeout(() => (ahead = hourMs), 150).unref()
setTimeout(() => (ahead = -hourMs), 450).unref()

const now = (): number => RealDate.now() + ahead
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
})
