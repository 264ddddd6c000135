/**
 * Holds what is known of a directory of entry logs, what `EntryLog` says of it
 * and what BookKeeper says of it against each other.
 */
import { Location, type EntryLog } from "@effect-bookie/entry-log"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { WrittenEntry } from "@effect-bookie/testing/bookkeeperLogs"
import * as EntryLogSays from "./EntryLogSays.ts"
import type { Command } from "./Judge.ts"
import * as Table from "./Table.ts"

/** What BookKeeper has to be asked about a directory before `compare`. Every entry in it is in the table `PATH.rows`. */
export const questions = (path: string): ReadonlyArray<Command> => {
  Fs.rmSync(`${path}.index`, { recursive: true, force: true })
  return [
    { output: `${path}.read`, words: ["read", path, `${path}.rows`] },
    { output: `${path}.scan`, words: ["scan", path] },
    { output: `${path}.meta`, words: ["meta", path] },
    { output: `${path}.rebuild`, words: ["rebuild", path, `${path}.index`] }
  ]
}

/** Says the first thing that differs, if one does. */
export const compare = async (path: string): Promise<string | undefined> => {
  const rows = Table.read(`${path}.rows`).map(Table.parse)
  const before = listing(path)
  const inOrder = rows.toSorted((left, right) => Number(left.location - right.location))
  const logs = await EntryLogSays.logs(path)
  return (
    difference("EntryLog's scan", (await EntryLogSays.scan(path)).map(Table.format), inOrder.map(Table.format)) ??
    difference("EntryLog's reads", (await EntryLogSays.read(path, rows)).map(Table.format), rows.map(Table.format)) ??
    difference("EntryLog's logs", logs.map(describe), describeLogs(path, logs, inOrder)) ??
    difference("BookKeeper's scan", Table.read(`${path}.scan`), inOrder.map(Table.format)) ??
    difference("BookKeeper's reads", Table.read(`${path}.read`), rows.map(Table.format)) ??
    difference("BookKeeper's ledgers maps", mapsOf(path), logs.flatMap(describeMap)) ??
    differenceOfIndex(path, inOrder) ??
    difference("what is in the directory after it was read", listing(path), before) ??
    problemOfLastId(path, logs)
  )
}

const difference = (
  what: string,
  found: ReadonlyArray<string>,
  expected: ReadonlyArray<string>
): string | undefined => {
  const index = expected.findIndex((line, at) => line !== found[at])
  if (index === -1 && found.length === expected.length) return undefined
  const at = index === -1 ? expected.length : index
  return `${what}, line ${at} of ${found.length}: ${found[at] ?? "nothing"}; expected ${expected[at] ?? "nothing"}`
}

const describe = ({ id, ledgers, size }: EntryLog.LogFile): string =>
  [id, size, ...Array.from(ledgers, ([ledgerId, bytes]) => `${ledgerId}:${bytes}`).toSorted()].join(" ")

/** What the logs must be: each file with its size, and the bytes of each ledger in it by the entries that are known. */
const describeLogs = (
  path: string,
  logs: ReadonlyArray<EntryLog.LogFile>,
  rows: ReadonlyArray<WrittenEntry>
): ReadonlyArray<string> => {
  const bytesOf = new Map<number, Map<WrittenEntry["ledgerId"], number>>()
  for (const { ledgerId, location, size } of rows) {
    const id = Location.logId(location)
    const ledgers = bytesOf.get(id) ?? new Map<WrittenEntry["ledgerId"], number>()
    bytesOf.set(id, ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + 4 + size))
  }
  const sealed = new Map(logs.map((log) => [log.id, log.sealed]))
  return Fs.readdirSync(path)
    .filter((name) => name.endsWith(".log"))
    .map((name) => ({ name, id: Number.parseInt(name, 16) }))
    .toSorted((left, right) => left.id - right.id)
    .map(({ id, name }) =>
      describe({
        id,
        size: Fs.statSync(Path.join(path, name)).size,
        sealed: sealed.get(id) ?? false,
        ledgers: bytesOf.get(id) ?? new Map()
      })
    )
}

/** The lines that BookKeeper's `meta` must have for a log, without the reasons. */
const describeMap = ({ id, ledgers, sealed }: EntryLog.LogFile): ReadonlyArray<string> =>
  sealed
    ? [...ledgers]
        .toSorted(([left], [right]) => Number(left - right))
        .map(([ledgerId, bytes]) => `${id}\t${ledgerId}\t${bytes}`)
    : [`${id}\t-`]

const mapsOf = (path: string): ReadonlyArray<string> =>
  Table.read(`${path}.meta`).map((line) => line.replace(/\t-\t.*/, "\t-"))

/** Of an entry that is there more than once, the latest in the latest log holds. */
const differenceOfIndex = (path: string, inOrder: ReadonlyArray<WrittenEntry>): string | undefined => {
  const [locations = "", lastEntries = ""] = Fs.readFileSync(`${path}.rebuild`, "utf8").split("\n\n")
  const latest = [...new Map(inOrder.map((row) => [`${row.ledgerId} ${row.entryId}`, row])).values()].toSorted(
    (left, right) => Number(left.ledgerId - right.ledgerId) || Number(left.entryId - right.entryId)
  )
  const last = new Map(latest.map(({ ledgerId }) => [ledgerId, "-"]))
  // BookKeeper looks for a ledger's last entry below 2^63-1, and does not find that one.
  for (const { entryId, ledgerId } of latest) if (entryId < maxEntryId) last.set(ledgerId, String(entryId))
  return (
    difference(
      "the index that BookKeeper rebuilt",
      locations.split("\n").slice(1),
      latest.map(({ entryId, ledgerId, location }) => [ledgerId, entryId, location].join("\t"))
    ) ??
    difference(
      "the last entries in it",
      lastEntries.split("\n").slice(1, -1),
      Array.from(last, ([ledgerId, entryId]) => `${ledgerId}\t${entryId}`)
    )
  )
}

/** Both sides take the id of their next log from it, but for the direct logger, which neither reads nor writes it. */
const problemOfLastId = (path: string, logs: ReadonlyArray<EntryLog.LogFile>): string | undefined => {
  const file = Path.join(path, "lastId")
  const newest = logs.at(-1)?.id ?? -1
  if (!Fs.existsSync(file)) return path.endsWith("direct") || newest === -1 ? undefined : "there is no lastId"
  const lastId = Fs.readFileSync(file, "utf8")
  return Number.parseInt(lastId, 16) >= newest ? undefined : `lastId is ${lastId}, and the newest log is ${newest}`
}

const maxEntryId = 2n ** 63n - 1n

const listing = (path: string): ReadonlyArray<string> =>
  Fs.readdirSync(path).map((name) => {
    const { mtimeMs, size } = Fs.statSync(Path.join(path, name))
    return `${name} ${size} ${mtimeMs}`
  })
