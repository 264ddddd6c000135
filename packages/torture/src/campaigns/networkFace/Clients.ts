/**
 * Clients of a server on the loopback interface: ones that ask, and ones that
 * misbehave. Each has a bound on how long it waits.
 */
import * as Http from "node:http"
import * as Net from "node:net"
import { setTimeout } from "node:timers/promises"
import type { Random } from "../../harness/Random.ts"

/** What a server answered. */
export interface Answer {
  readonly status: number
  readonly body: string
}

const host = "127.0.0.1"

/** Longer than a busy machine takes: what never comes is what counts. */
const patienceMillis = 60_000

/** Asks once; rejects where no answer came in time. */
export const ask = (port: number, method: string, path: string, agent?: Http.Agent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { host, port, method, path, timeout: patienceMillis, ...(agent === undefined ? {} : { agent }) }
    const request = Http.request(options, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }))
      response.once("error", reject)
    })
    request.once("timeout", () => request.destroy(new Error(`no answer to ${method} ${path} in ${patienceMillis} ms`)))
    request.once("error", (error: NodeJS.ErrnoException) =>
      reject(request.reusedSocket && error.code === "ECONNRESET" ? new ClosedWhileIdle() : error)
    )
    request.end()
  })

class ClosedWhileIdle extends Error {}

/** Asks for the metrics; once more where the server had closed an idle connection just as it was used again. */
const askAgain = (port: number, agent: Http.Agent): Promise<Answer> =>
  ask(port, "GET", "/metrics", agent).catch((error) => {
    if (error instanceof ClosedWhileIdle) return ask(port, "GET", "/metrics")
    throw error
  })

/**
 * Asks for the metrics so many times, at a rate or as fast as the server answers. Answers how many answers were right,
 * how many there were a second, and what was wrong.
 */
export const scrape = async (port: number, perSecond: number, count: number) => {
  const agent = new Http.Agent({ keepAlive: true, maxSockets: 16 })
  const result = { right: 0, perSecond: 0, wrong: new Array<string>() }
  const pending = new Set<Promise<void>>()
  const start = performance.now()
  for (let asked = 0; asked < count;) {
    const soFar = ((performance.now() - start) * perSecond) / 1000
    const due = Math.min(count, soFar, asked + maxAtOnce - pending.size)
    for (; asked < due; asked++) {
      const scraped: Promise<void> = askAgain(port, agent)
        .then(
          ({ body, status }) => {
            if (status === 200 && body.includes("bookie_entry_location_entries")) result.right += 1
            else result.wrong.push(`a scrape answered ${status}`)
          },
          (error) => void result.wrong.push(`a scrape failed: ${String(error)}`)
        )
        .finally(() => pending.delete(scraped))
      pending.add(scraped)
    }
    await setTimeout(2)
  }
  await Promise.all(pending)
  result.perSecond = (count * 1000) / (performance.now() - start)
  agent.destroy()
  return result
}

const maxAtOnce = 256

/** Ways to misbehave; each leaves its socket as it is. */
const misbehaviours: readonly [
  (socket: Net.Socket, random: Random) => void,
  ...Array<(socket: Net.Socket, random: Random) => void>
] = [
  // Half a request.
  (socket) => socket.write("GET /met"),
  (socket) => socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n"),
  // Many requests, and no answer read.
  (socket) => {
    socket.pause()
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200))
  },
  // A body that never comes.
  (socket) => socket.write("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"),
  // A request, and gone before its answer.
  (socket) => {
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    socket.resetAndDestroy()
  },
  (socket) => socket.resetAndDestroy(),
  // What is no request.
  (socket, random) => socket.write(Uint8Array.from({ length: 300 }, () => random.below(256))),
  (socket) => socket.write(`GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(100_000)}\r\n\r\n`),
  (socket) => socket.write(`GET /${"x".repeat(100_000)} HTTP/1.1\r\n\r\n`),
  // A request, byte by byte.
  (socket) => {
    const bytes = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    let at = 0
    const timer = setInterval(() => {
      if (socket.destroyed || at >= bytes.length) return clearInterval(timer)
      socket.write(bytes.charAt(at++))
    }, 20)
    timer.unref()
  }
]

/** Connects clients that misbehave. They stay until `release` is called. */
export const misbehave = async (
  port: number,
  count: number,
  random: Random
): Promise<{ readonly release: () => void }> => {
  const sockets: Array<Net.Socket> = []
  for (let at = 0; at < count; at++) {
    const socket = Net.connect(port, host)
    // The server may well throw it out.
    socket.on("error", () => {})
    sockets.push(socket)
    const misbehaviour = random.pick(misbehaviours)
    socket.once("connect", () => misbehaviour(socket, random))
    if (at % 20 === 19) await setTimeout(5)
  }
  await setTimeout(200)
  return { release: () => sockets.forEach((socket) => socket.destroy()) }
}

/** A port that nobody listens on. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = Net.createServer()
    server.once("error", reject)
    server.listen(0, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
