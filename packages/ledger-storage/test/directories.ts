/**
 * What tests of storages on disk share.
 */
import { LedgerStorage, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Effect, type Scope } from "effect"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

/** A new directory, which is removed when the scope closes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-bookie-storage-test-"))),
  (directory) => Effect.promise(() => Fs.rm(directory, { recursive: true, force: true }))
)

/** Opens the storage in a directory, uses it, and closes it. */
export const using = <A, E, R>(
  directory: string,
  use: (storage: LedgerStorage.Service) => Effect.Effect<A, E, R>,
  options: Omit<LedgerStorage.DirectoryOptions, "directory"> = {}
): Effect.Effect<A, E | LedgerStorageError.LedgerStorageError, R> =>
  Effect.provide(
    Effect.flatMap(LedgerStorage.LedgerStorage, use),
    LedgerStorage.layerDirectory({ ...options, directory }),
    { local: true }
  )

/** The paths of the logs of a storage, in their order. */
export const logsOf = (directory: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const names = (await Fs.readdir(Path.join(directory, "logs"))).filter((name) => name.endsWith(".log"))
    return names.toSorted((one, other) => idOf(one) - idOf(other)).map((name) => Path.join(directory, "logs", name))
  })

const idOf = (name: string): number => Number.parseInt(name, 16)
