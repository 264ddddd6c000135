/**
 * What the tests of this package share: short ways to make and open things, and
 * to run a program of programs/ in a real process.
 */
import { Effect, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryId, EntryLog, type EntryLogError, LedgerId } from "../src/index.ts"
import { type Program, startCommand } from "@effect-bookie/testing/process"

/** An entry with a payload. */
export const entry = (ledgerId: bigint, entryId: bigint, payload: Uint8Array | string = ""): EntryLog.Entry => ({
  ledgerId: LedgerId.make(ledgerId),
  entryId: EntryId.make(entryId),
  payload: typeof payload === "string" ? new TextEncoder().encode(payload) : payload
})

/** Bytes that differ with their seed and with their place. */
export const bytes = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7 + (index >> 8)) & 0xff)

/** The entry with a number in a long row of entries of many sizes. */
export const numbered = (number: number): EntryLog.Entry =>
  entry(BigInt(number % 5), BigInt(number), bytes((number * 37) % 3000, number))

/** Opens a directory, and closes it after. */
export const using = <A, E>(
  options: EntryLog.Options,
  use: (log: EntryLog.EntryLog["Service"]) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E | EntryLogError.EntryLogError> => Effect.scoped(Effect.flatMap(EntryLog.make(options), use))

/** The reason for which an effect fails; a success is a defect. */
export const reasonOf = <A, R>(
  self: Effect.Effect<A, EntryLogError.EntryLogError, R>
): Effect.Effect<EntryLogError.Reason, never, R> =>
  Effect.matchEffect(self, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: () => Effect.die(new Error("expected a failure"))
  })

/** The tag of the reason for which an effect fails. */
export const tagOf = <A, R>(
  self: Effect.Effect<A, EntryLogError.EntryLogError, R>
): Effect.Effect<EntryLogError.Reason["_tag"], never, R> => Effect.map(reasonOf(self), (reason) => reason._tag)

/** The bytes of a log with these entries, as BookKeeper leaves one that is not sealed. */
export const logBytes = (entries: ReadonlyArray<EntryLog.Entry>): Buffer => {
  const header = Buffer.alloc(1024)
  header.write("BKLO", 0, "latin1")
  header.writeInt32BE(1, 4)
  return Buffer.concat([header, ...entries.map(entryBytes)])
}

/** The bytes of an entry in a log; its ids may be any int64. */
export const entryBytes = (entry: {
  readonly ledgerId: bigint
  readonly entryId: bigint
  readonly payload: Uint8Array
}): Buffer => {
  const head = Buffer.alloc(20)
  head.writeInt32BE(16 + entry.payload.length, 0)
  head.writeBigInt64BE(entry.ledgerId, 4)
  head.writeBigInt64BE(entry.entryId, 12)
  return Buffer.concat([head, entry.payload])
}

/** The descriptors that this process has in a directory, by number, each with the path of its file. Linux only. */
export const descriptorsIn = (directory: string): ReadonlyMap<number, string> => {
  const open = new Map<number, string>()
  for (const name of Fs.readdirSync("/proc/self/fd")) {
    const link = `/proc/self/fd/${name}`
    // The descriptor that lists the others is gone by now.
    const path = Fs.existsSync(link) ? Fs.readlinkSync(link) : ""
    if (path.startsWith(directory + Path.sep)) open.set(Number(name), path)
  }
  return open
}

/** Starts a program; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(process.execPath, [programPath(name), ...args], import.meta.dirname)

/** Starts a program under a limit of `ulimit`: `-f 64` for files of at most 64 KiB, `-n 100` for 100 descriptors. */
export const startLimited = (
  limit: string,
  name: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(
    "bash",
    ["-c", `ulimit ${limit} && exec "$@"`, "bash", process.execPath, programPath(name), ...args],
    import.meta.dirname
  )

const programPath = (name: string): string => Path.join(import.meta.dirname, "programs", `${name}.ts`)
