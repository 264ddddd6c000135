/**
 * The log directories that Apache BookKeeper itself wrote, and what it says is
 * in them: see bookkeeperLogs/README.md.
 */
import { Effect, type Scope } from "effect"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Zlib from "node:zlib"
import { EntryId, type EntryLog, LedgerId, Location } from "@effect-bookie/entry-log"

/** The names of the directories. */
export const names = [
  "ordinary",
  "reopened",
  "many-ledgers",
  "edges",
  "rewritten",
  "rewritten-far-apart",
  "unfinished-compaction",
  "direct"
] as const

/** The name of a directory. */
export type Name = (typeof names)[number]

/** A temporary directory, removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-entry-log-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

/** A copy of a directory as BookKeeper left it, `entries.tsv` and `last-entries.tsv` beside the logs. */
export const unpack = (name: Name): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(temporaryDirectory, (directory) =>
    Effect.sync(() => {
      const packed = Path.join(import.meta.dirname, "bookkeeperLogs", name)
      for (const file of Fs.readdirSync(packed)) {
        const bytes = Zlib.gunzipSync(Fs.readFileSync(Path.join(packed, file)))
        Fs.writeFileSync(Path.join(directory, file.replace(/\.gz$/, "")), bytes)
      }
    })
  )

/** A row of `entries.tsv`: an entry as BookKeeper wrote it. */
export interface WrittenEntry {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
  readonly location: Location.Location
  /** Of the ids and the payload, in bytes. */
  readonly size: number
  /** Of the ids and the payload, in hexadecimal. */
  readonly crc32c: string
}

/** Every entry that was written to an unpacked directory, in the order of writing. */
export const entriesOf = (directory: string): ReadonlyArray<WrittenEntry> =>
  rowsOf(Path.join(directory, "entries.tsv")).map(
    ([ledger = "", entry = "", location = "", size = "", crc32c = ""]) => ({
      ledgerId: LedgerId.make(BigInt(ledger)),
      entryId: EntryId.make(BigInt(entry)),
      location: Location.make(BigInt(location)),
      size: Number(size),
      crc32c
    })
  )

/** The last entry of each ledger in an unpacked directory, as BookKeeper's index answered it. */
export const lastEntriesOf = (directory: string): ReadonlyMap<LedgerId.LedgerId, EntryId.EntryId> =>
  new Map(
    rowsOf(Path.join(directory, "last-entries.tsv")).map(([ledger = "", entry = ""]) => [
      LedgerId.make(BigInt(ledger)),
      EntryId.make(BigInt(entry))
    ])
  )

/** The checksum of an entry as `entries.tsv` has it. */
export const checksum = ({ entryId, ledgerId, payload }: EntryLog.Entry): string => {
  const ids = Buffer.alloc(16)
  ids.writeBigInt64BE(ledgerId, 0)
  ids.writeBigInt64BE(entryId, 8)
  return crc32c([ids, payload]).toString(16).padStart(8, "0")
}

/** What is in a directory: each file with its size, when it was changed, and a hash of its bytes. */
export const snapshot = (directory: string): ReadonlyArray<readonly [string, number, number, string]> =>
  Fs.readdirSync(directory)
    .toSorted()
    .map((name) => {
      const path = Path.join(directory, name)
      const { mtimeMs, size } = Fs.statSync(path)
      return [name, size, mtimeMs, Crypto.hash("sha1", Fs.readFileSync(path))]
    })

const rowsOf = (path: string): ReadonlyArray<ReadonlyArray<string>> =>
  Fs.readFileSync(path, "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.split("\t"))

/** CRC-32C (Castagnoli), one bit at a time into a table. */
const crc32c = (parts: ReadonlyArray<Uint8Array>): number => {
  let crc = 0xffff_ffff
  for (const part of parts) {
    for (const byte of part) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  return crc
})
