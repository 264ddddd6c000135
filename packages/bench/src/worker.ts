/**
 * A process of one engine, which does one step at a time as it is told to, and
 * answers what it has measured. Its argument is its setup.
 */
import { engines } from "./Engines.ts"
import type { Answer, Request } from "./Child.ts"
import { Session, type Setup } from "./Session.ts"
import { steps } from "./steps.ts"

const setup: Setup = JSON.parse(process.argv[2] ?? "")
const host = await engines[setup.engine].start()
const session = new Session(host, setup)

const answer = (message: Answer): void => {
  process.send?.(message)
}

process.on("message", async (request: Request) => {
  try {
    answer({ values: await steps[request.step](session, request.turn) })
  } catch (cause) {
    answer({ failure: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
  }
})

process.on("disconnect", async () => {
  await session.close()
  await host.stop()
  process.exit()
})
