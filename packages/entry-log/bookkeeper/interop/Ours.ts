/**
 * Random logs that `EntryLog` wrote: several sessions in one directory, small
 * logs that roll over, entries larger than those, a writer that is killed, torn
 * tails.
 */
import { EntryId, EntryLog, LedgerId, Location } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import type { WrittenEntry } from "@effect-bookie/testing/bookkeeperLogs"
import { Entries } from "./Entries.ts"
import { logs, scan } from "./EntryLogSays.ts"
import { Random } from "./Random.ts"
import * as Table from "./Table.ts"

/** Writes the logs of a seed, and answers every entry that they hold. */
export const write = async (directory: string, seed: number): Promise<ReadonlyArray<WrittenEntry>> => {
  const random = new Random(seed, "sessions")
  let rows: ReadonlyArray<WrittenEntry> = seed % 5 === 0 ? await manyLedgers(directory, random) : []
  await checkSealed(directory, rows)
  const sessions = 2 + random.integer(3)
  const killed = random.integer(sessions)
  for (let number = 0; number < sessions; number += 1) {
    const written = number === killed ? await killedSession(directory, seed) : await session(directory, random)
    await checkSealed(directory, written)
    rows = [...rows, ...written]
    if (random.chance(0.6)) rows = tear(directory, rows, random)
  }
  return rows
}

/** Opens a directory, appends random entries, closes it, and answers what was appended. */
export const session = (directory: string, random: Random): Promise<ReadonlyArray<WrittenEntry>> => {
  const maxLogSize = 2048 + random.integer(random.chance(0.1) ? 3 * 1024 * 1024 : 128 * 1024)
  const entries = new Entries(random, largestPayload(maxLogSize, random))
  const append = Effect.fnUntraced(function* (log: EntryLog.EntryLog["Service"]) {
    const rows: Array<WrittenEntry> = []
    for (let batches = random.integer(60); batches > 0; batches -= 1) {
      const batch = Array.from({ length: random.integer(40) }, () => entries.next())
      const locations = random.chance(0.5)
        ? yield* log.appendAll(batch)
        : yield* Effect.forEach(batch, ({ entryId, ledgerId, payload }) => log.append(ledgerId, entryId, payload), {
            concurrency: "unbounded"
          })
      rows.push(...zip(batch, locations))
      if (random.chance(0.1)) yield* log.sync
    }
    return rows
  })
  return Effect.runPromise(Effect.scoped(Effect.flatMap(EntryLog.make({ directory, maxLogSize }), append)))
}

/** The entries that the killed writer appends, for as long as it lives. */
export const entriesOfKilled = (seed: number): Entries =>
  new Entries(new Random(seed, "killed"), largestPayload(killedMaxLogSize, new Random(seed, "killed", "largest")))

/** The size of its logs, in bytes. */
export const killedMaxLogSize = 16 * 1024

/** In bytes: what fills a log, or more than that, for entries that get a log of their own. */
const largestPayload = (maxLogSize: number, random: Random): number =>
  random.chance(0.5) ? maxLogSize - overhead : Math.min(2 * maxLogSize, 4 * 1024 * 1024)

/** The bytes of a log with one entry, beside its payload. */
const overhead = 1024 + 4 + 16

/** One log with more ledgers than a part of its ledgers map holds, and large entries after it. */
const manyLedgers = (directory: string, random: Random): Promise<ReadonlyArray<WrittenEntry>> => {
  const entries: Array<EntryLog.Entry> = Array.from({ length: 10_001 + random.integer(12_000) }, (_, index) => ({
    ledgerId: LedgerId.make(BigInt(index * 7)),
    entryId: EntryId.make(random.id()),
    payload: random.bytes(random.integer(20))
  }))
  for (let large = 0; large < 3; large += 1) {
    entries.push({ ledgerId: LedgerId.make(1n), entryId: EntryId.make(BigInt(large)), payload: random.bytes(600_000) })
  }
  return Effect.runPromise(
    Effect.scoped(
      Effect.map(
        Effect.flatMap(EntryLog.make({ directory, maxLogSize: "1280 KiB" }), (log) => log.appendAll(entries)),
        (locations) => zip(entries, locations)
      )
    )
  )
}

const zip = (
  entries: ReadonlyArray<EntryLog.Entry>,
  locations: ReadonlyArray<Location.Location>
): ReadonlyArray<WrittenEntry> =>
  entries.map((entry, index) => {
    const location = locations[index]
    if (location === undefined) throw new Error(`${entries.length} entries got ${locations.length} locations`)
    return Table.rowOf(entry, location)
  })

/**
 * A process that appends one entry after another until it is killed. What it had acknowledged must be in its logs, and
 * what else is in them must be the entries that came next.
 */
const killedSession = async (directory: string, seed: number): Promise<ReadonlyArray<WrittenEntry>> => {
  const before = logIdsOf(directory).at(-1) ?? -1
  const acknowledged = await runUntilKilled(directory, seed, 1 + new Random(seed, "kill").integer(400))
  const found = await scan(directory, before + 1)
  const entries = entriesOfKilled(seed)
  found.forEach((row, index) => {
    const appended = Table.format(Table.rowOf(entries.next(), row.location))
    const expected = acknowledged[index] ?? appended
    if (Table.format(row) === expected && expected === appended) return
    throw new Error(`entry ${index} of the killed writer is ${Table.format(row)}, not ${expected}`)
  })
  if (found.length >= acknowledged.length) return found
  throw new Error(`the killed writer had ${acknowledged.length} entries acknowledged, and ${found.length} are there`)
}

const runUntilKilled = async (directory: string, seed: number, lines: number): Promise<ReadonlyArray<string>> => {
  const program = Path.join(import.meta.dirname, "killed.ts")
  const child = spawn(process.execPath, [program, directory, String(seed)], { stdio: ["ignore", "pipe", "inherit"] })
  const exit = once(child, "exit")
  const acknowledged: Array<string> = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length === lines) child.kill("SIGKILL")
  }
  const [code, signal]: ReadonlyArray<unknown> = await exit
  if (signal !== "SIGKILL") throw new Error(`the writer that was to be killed ended by itself, with ${code}`)
  return acknowledged
}

/** Of the logs that one session wrote, all but the last are sealed. */
const checkSealed = async (directory: string, rows: ReadonlyArray<WrittenEntry>): Promise<void> => {
  if (rows.length === 0) return
  const rolledOver = new Set(rows.map(({ location }) => Location.logId(location)))
  rolledOver.delete(Math.max(...rolledOver))
  const unsealed = (await logs(directory)).find(({ id, sealed }) => rolledOver.has(id) && !sealed)
  if (unsealed !== undefined) throw new Error(`log ${unsealed.id} was rolled over and is not sealed`)
}

/** Cuts the end of the last log off, somewhere, or adds zeros to it. Answers the rows that are left. */
const tear = (directory: string, rows: ReadonlyArray<WrittenEntry>, random: Random): ReadonlyArray<WrittenEntry> => {
  const last = logIdsOf(directory).at(-1)
  if (last === undefined) return rows
  const path = Path.join(directory, `${last.toString(16)}.log`)
  const { size } = Fs.statSync(path)
  if (random.chance(0.3)) {
    Fs.appendFileSync(path, Buffer.alloc(1 + random.integer(5000)))
    return rows
  }
  const cut = size - random.integer(Math.min(size, 1000))
  Fs.truncateSync(path, cut)
  return rows.filter(
    ({ location, size }) => Location.logId(location) !== last || Location.position(location) + size <= cut
  )
}

const logIdsOf = (directory: string): ReadonlyArray<number> =>
  Fs.existsSync(directory)
    ? Fs.readdirSync(directory)
        .filter((name) => name.endsWith(".log"))
        .map((name) => Number.parseInt(name, 16))
        .toSorted((left, right) => left - right)
    : []
