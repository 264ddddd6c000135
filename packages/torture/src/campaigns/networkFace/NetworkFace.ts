/**
 * The network face: the demo's `--serve` under clients that are many, slow and
 * broken. All traffic stays on the loopback interface.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Clients from "./Clients.ts"

/** The campaign. */
export const networkFace: Campaign = {
  name: "network-face",
  isNarrow: true,
  promise: "The server of metrics answers on loopback and only what it must, and no client takes it down",
  run: (settings) =>
    Effect.scoped(
      Effect.gen(function* () {
        const random = Random.make(settings.seed)
        const findings = new Findings()
        const { port, server } = yield* serve
        if (!(yield* server.printed("serving "))) {
          return { did: "nothing", found: [`the demo ${Process.describe(yield* server.ended)}`] }
        }
        checkAddresses(port, findings)
        yield* checkAnswers(port, findings)
        const clients = yield* storm(port, settings, random, findings)
        const { perSecond, right } = yield* Effect.promise(() => load(port, settings, findings))
        yield* stop(port, server, random, findings)
        return {
          did:
            `${right.toLocaleString("en")} scrapes at ${Math.round(perSecond).toLocaleString("en")} a second, ` +
            `${clients} clients that misbehaved, and a SIGTERM among them`,
          found: findings.all
        }
      })
    )
}

const scrapesPerSecond = 1_000

const main = Path.resolve(import.meta.dirname, "../../../../demo/src/main.ts")

const serve = Effect.gen(function* () {
  const directory = yield* Directory.temporary
  const file = `${directory}/lines.txt`
  Fs.writeFileSync(file, "a line\n".repeat(1_000))
  const port = yield* Effect.promise(() => Clients.freePort())
  const command = [main, "--data", `${directory}/data`, "--serve", "--port", String(port), file]
  return { port, server: yield* Process.start({ argv: [process.execPath, ...command] }, { seconds: 24 * 3600 }) }
})

/** The kernel's tables of sockets say who listens where. */
const checkAddresses = (port: number, findings: Findings): void => {
  const hex = port.toString(16).toUpperCase().padStart(4, "0")
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    if (!Fs.existsSync(table)) continue
    for (const line of Fs.readFileSync(table, "utf8").split("\n")) {
      const [, local = "", , state] = line.trim().split(/\s+/)
      if (state !== listening || !local.endsWith(`:${hex}`)) continue
      findings.check(local === `0100007F:${hex}`, `the server listens on ${local} of ${table}`)
    }
  }
}

const listening = "0A"

const checkAnswers = (port: number, findings: Findings): Effect.Effect<void> =>
  Effect.promise(async () => {
    const asked: ReadonlyArray<readonly [method: string, path: string, statuses: ReadonlyArray<number>]> = [
      ["GET", "/metrics", [200]],
      ["GET", "/", [404]],
      ["GET", "/metrics/x", [404]],
      ["GET", "/..%2f..%2fetc/passwd", [404]],
      ["GET", "/../../etc/passwd", [404]],
      ["POST", "/metrics", [404, 405]],
      ["PUT", "/metrics", [404, 405]],
      ["DELETE", "/metrics", [404, 405]],
      ["OPTIONS", "/metrics", [404, 405]]
    ]
    for (const [method, path, statuses] of asked) {
      const answer = await Clients.ask(port, method, path).catch((error) => ({ status: 0, body: String(error) }))
      const isRight = statuses.includes(answer.status) && (answer.status === 200 || answer.body.length < 200)
      findings.check(isRight, `${method} ${path} answered ${answer.status}: ${answer.body.slice(0, 200)}`)
    }
  })

/** Waves of clients that misbehave; after each the server must answer as before. */
const storm = Effect.fnUntraced(function* (
  port: number,
  { extraSeconds, scale }: Settings,
  random: Random.Random,
  findings: Findings
) {
  const end = Date.now() + extraSeconds * 500
  const waves = Math.max(1, Math.round(10 * scale))
  let clients = 0
  for (let wave = 0; (wave < waves || Date.now() < end) && findings.none; wave++) {
    const { release } = yield* Effect.promise(() => Clients.misbehave(port, clientsInWave, random))
    clients += clientsInWave
    yield* Effect.promise(() => checkAlive(port, findings))
    release()
  }
  return clients
})

const clientsInWave = 200

const checkAlive = async (port: number, findings: Findings): Promise<void> => {
  const start = performance.now()
  const { body, status } = await Clients.ask(port, "GET", "/metrics").catch((error) => ({
    status: 0,
    body: String(error)
  }))
  const millis = Math.round(performance.now() - start)
  findings.check(
    status === 200,
    `among broken clients a scrape answered ${status} after ${millis} ms: ${body.slice(0, 200)}`
  )
}

const load = async (port: number, { extraSeconds, scale }: Settings, findings: Findings) => {
  const count = Math.round(scrapesPerSecond * (Math.max(1, 8 * scale) + extraSeconds / 2))
  const { perSecond, right, wrong } = await Clients.scrape(port, scrapesPerSecond, count)
  for (const finding of wrong) findings.add(finding)
  return { perSecond, right }
}

/** Longer than a busy machine takes: that it ends is what counts. */
const patienceSeconds = 120

/** Ends the server while clients of every kind are there. */
const stop = Effect.fnUntraced(function* (
  port: number,
  server: Process.Running,
  random: Random.Random,
  findings: Findings
) {
  const { release } = yield* Effect.promise(() => Clients.misbehave(port, clientsInWave, random))
  // Scrapes under way are answered or refused; that the server ends is what counts.
  const scraping = Clients.scrape(port, scrapesPerSecond, 300)
  yield* Effect.sleep("100 millis")
  const start = performance.now()
  yield* server.kill("SIGTERM")
  const ended = yield* Effect.timeoutOption(server.ended, `${patienceSeconds} seconds`)
  yield* Effect.promise(() => scraping)
  release()
  if (ended._tag === "None") return findings.add(`${patienceSeconds} seconds after SIGTERM the server had not ended`)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  findings.check(ended.value.code === 0, `after SIGTERM the server ${Process.describe(ended.value)}`)
  const released = [...ended.value.stdout.matchAll(/^released (.+)$/gm)].map(([, resource = ""]) => resource)
  const problem = Stack.problemOf(released)
  if (problem !== undefined) findings.add(`after SIGTERM, in ${seconds} s, the server has ${problem}`)
})
