/**
 * `node:sqlite` with one row an entry.
 *
 * As SQLite's documentation says is fast: a table without rowids, whose primary
 * key is ledger and entry; a write-ahead log with `synchronous=FULL`, which
 * brings each commit to disk, checkpointed every 64 MiB; exclusive locking, since RocksDB and LevelDB lock
 * out other processes too; prepared statements; a flush as one transaction, 64
 * rows a statement; rows read as arrays.
 */
import * as Fs from "node:fs"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { absent, type Engine, type Entries, type Host, type Ids, type LedgerEntries } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"

export const start = async (): Promise<Host> => inProcess({ open, cachedEntrySize: 34 })

const open = async (directory: string, cacheSize: number): Promise<Engine> => {
  Fs.mkdirSync(directory, { recursive: true })
  const database = new DatabaseSync(`${directory}/locations.sqlite`)
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${checkpointPages};
    PRAGMA cache_size = -${Math.ceil(cacheSize / 1024)};
    CREATE TABLE IF NOT EXISTS locations (
      ledger INTEGER NOT NULL, entry INTEGER NOT NULL, location INTEGER NOT NULL, PRIMARY KEY (ledger, entry)
    ) STRICT, WITHOUT ROWID
  `)
  return new Sqlite(database)
}

/** How many pages of 4 KiB the write-ahead log has before they go to the table: 64 MiB, as much as others write at once. */
const checkpointPages = 16_384

/** How many rows one statement inserts. */
const rowsPerInsert = 64

class Sqlite implements Engine {
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  readonly #insertOne: StatementSync
  readonly #select: StatementSync
  readonly #selectAll: StatementSync
  readonly #selectLast: StatementSync
  readonly #delete: StatementSync
  readonly #parameters = Array.from({ length: rowsPerInsert * 3 }, () => 0n)

  constructor(database: DatabaseSync) {
    this.#database = database
    const row = "(?, ?, ?)"
    const insert = "INSERT OR REPLACE INTO locations VALUES"
    this.#insert = database.prepare(`${insert} ${Array<string>(rowsPerInsert).fill(row).join(", ")}`)
    this.#insertOne = database.prepare(`${insert} ${row}`)
    this.#select = reading(database, "SELECT location FROM locations WHERE ledger = ? AND entry = ?")
    this.#selectAll = reading(database, "SELECT entry, location FROM locations WHERE ledger = ? ORDER BY entry")
    this.#selectLast = reading(database, "SELECT max(entry) FROM locations WHERE ledger = ?")
    this.#delete = database.prepare("DELETE FROM locations WHERE ledger = ?")
  }

  put = ({ entryIds, ledgerIds, locations }: Entries, from: number, to: number): void => {
    if (!this.#database.isTransaction) this.#database.exec("BEGIN")
    const parameters = this.#parameters
    let at = from
    for (; at + rowsPerInsert <= to; at += rowsPerInsert) {
      for (let row = 0; row < rowsPerInsert; row++) {
        parameters[row * 3] = ledgerIds[at + row] ?? 0n
        parameters[row * 3 + 1] = entryIds[at + row] ?? 0n
        parameters[row * 3 + 2] = locations[at + row] ?? 0n
      }
      this.#insert.run(...parameters)
    }
    for (; at < to; at++) this.#insertOne.run(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n, locations[at] ?? 0n)
  }

  commit = async (): Promise<void> => this.#database.exec("COMMIT")

  getMany = (ids: Ids, locations: BigInt64Array): Promise<void> => this.getEach(ids, locations)

  getEach = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    for (let at = 0; at < locations.length; at++) {
      locations[at] = longIn(this.#select.get(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n), 0)
    }
  }

  scan = async (ledgerId: bigint, into: LedgerEntries): Promise<number> => {
    const rows = this.#selectAll.all(ledgerId)
    let count = 0
    for (const row of rows) {
      into.entryIds[count] = longIn(row, 0)
      into.locations[count] = longIn(row, 1)
      count += 1
    }
    return count
  }

  lastEntries = async (ledgerIds: BigInt64Array, entryIds: BigInt64Array): Promise<void> => {
    for (let at = 0; at < entryIds.length; at++) entryIds[at] = longIn(this.#selectLast.get(ledgerIds[at] ?? 0n), 0)
  }

  deleteLedger = async (ledgerId: bigint): Promise<void> => {
    this.#delete.run(ledgerId)
  }

  compact = async (): Promise<void> => this.#database.exec("VACUUM")

  close = async (): Promise<void> => this.#database.close()
}

/** A statement whose rows are arrays of bigints. */
const reading = (database: DatabaseSync, sql: string): StatementSync => {
  const statement = database.prepare(sql)
  statement.setReadBigInts(true)
  statement.setReturnArrays(true)
  return statement
}

/** The integer in a column of a row, {@link absent} if there is no such row or it is null. */
const longIn = (row: unknown, column: number): bigint => {
  const value: unknown = Array.isArray(row) ? row[column] : undefined
  return typeof value === "bigint" ? value : absent
}
