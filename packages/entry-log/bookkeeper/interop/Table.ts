/**
 * Tables of tab-separated values, as the judge reads and prints them.
 */
import { EntryId, type EntryLog, LedgerId, Location } from "@effect-bookie/entry-log"
import * as Fs from "node:fs"
import { checksum, type WrittenEntry } from "@effect-bookie/testing/bookkeeperLogs"

/** The row of an entry at its location. */
export const rowOf = (entry: EntryLog.Entry, location: Location.Location): WrittenEntry => ({
  ledgerId: entry.ledgerId,
  entryId: entry.entryId,
  location,
  size: 16 + entry.payload.length,
  crc32c: checksum(entry)
})

/** A row as a line. */
export const format = ({ crc32c, entryId, ledgerId, location, size }: WrittenEntry): string =>
  [ledgerId, entryId, location, size, crc32c].join("\t")

/** The row of a line. Throws where it is none. */
export const parse = (line: string): WrittenEntry => {
  const [ledger = "", entry = "", location = "", size = "", crc32c = ""] = line.split("\t")
  return {
    ledgerId: LedgerId.make(BigInt(ledger)),
    entryId: EntryId.make(BigInt(entry)),
    location: Location.make(BigInt(location)),
    size: Number(size),
    crc32c
  }
}

/** The lines of a table without its column names. */
export const read = (path: string): ReadonlyArray<string> => Fs.readFileSync(path, "utf8").split("\n").slice(1, -1)

/** Writes rows as a table. */
export const write = (path: string, rows: ReadonlyArray<WrittenEntry>): void =>
  Fs.writeFileSync(path, ["ledger\tentry\tlocation\tsize\tcrc32c", ...rows.map(format), ""].join("\n"))
