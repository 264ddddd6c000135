/**
 * What an entry log can be asked: each call passes the gate of the operations
 * and takes its arguments when its effect runs.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Service, PassedOver } from "../EntryLog.ts"
import type * as EntryLogError from "../EntryLogError.ts"
import type { OpenDirectory } from "./acquire.ts"
import * as Arguments from "./arguments.ts"
import { frame, locatedEntry, type Made, Scan } from "./Logs.ts"
import type { Settings } from "./options.ts"
import { readBodies } from "./readBodies.ts"
import { readEntry } from "./readEntry.ts"
import { take } from "./refusal.ts"

/** The operations that read. */
export type Reading = Pick<
  Service,
  "ledgersOf" | "logs" | "logSummaries" | "read" | "readBodies" | "scan" | "scanFrames"
>

/** Reads the logs of an open directory. */
export const reading = (settings: Settings, opened: OpenDirectory): Reading => {
  const { descriptors, logs, operations } = opened
  const at = (operation: string): EntryLogError.Where => ({ operation, path: settings.directory })
  return {
    read: (ledgerId, entryId, location) =>
      operations.run("read", () => {
        take(at("read"), () => Arguments.checkRead(ledgerId, entryId, location))
        return readEntry(settings, descriptors, ledgerId, entryId, location)
      }),
    readBodies: (keys) =>
      operations.run("readBodies", () => {
        const taken = take(at("readBodies"), () => Arguments.keys(keys))
        return readBodies(settings, descriptors, taken)
      }),
    scan: (options) => scan(opened, at("scan"), () => ({ ...Arguments.scanSettings(options), make: locatedEntry })),
    scanFrames: (options) =>
      scan(opened, at("scanFrames"), () => {
        const settings = Arguments.frameScanSettings(options)
        return { ...settings, make: frame(settings.payloads) }
      }),
    logs: operations.run("logs", () => logs.files()),
    logSummaries: operations.run("logSummaries", () => logs.summaries()),
    ledgersOf: (logId) => {
      const ledgers = operations.run("ledgersOf", () =>
        logs.ledgers(take(at("ledgersOf"), () => Arguments.logId("the argument", logId)))
      )
      return Stream.fromPull(
        Effect.map(ledgers, (next) =>
          Effect.flatMap(operations.run("ledgersOf", next), (part) =>
            part === undefined ? Cause.done() : Effect.succeed([part] as const)
          )
        )
      )
    }
  }
}

const scan = <A>(
  { logs, operations }: OpenDirectory,
  where: EntryLogError.Where,
  read: () => Arguments.ScanSettings & { readonly make: Made<A> }
): Stream.Stream<A, EntryLogError.EntryLogError> =>
  Stream.fromPull(
    Effect.map(
      operations.run(where.operation, async () => take(where, read)),
      (settings) => {
        const scan = new Scan(logs, where.operation, settings, settings.make)
        const next = Effect.tap(
          operations.run(where.operation, () => scan.next()),
          ({ passedOver }) => Effect.forEach(passedOver, settings.onPassedOver ?? warn, { discard: true })
        )
        return Effect.flatMap(next, ({ entries }) => (isNonEmpty(entries) ? Effect.succeed(entries) : Cause.done()))
      }
    )
  )

const warn = ({ bytes, file, from, why }: PassedOver): Effect.Effect<void> =>
  Effect.logWarning(`Passed over ${bytes} bytes of ${file}, from byte ${from} on: ${why}`)

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is readonly [A, ...Array<A>] => values.length > 0
