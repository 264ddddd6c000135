/**
 * A storage in memory whose log is watched, held up, or made to fail.
 */
import { LedgerStorageError, type LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Latch, type Scope } from "effect"
import type { Backend } from "../src/internal/Backend.ts"
import * as MemoryBackend from "../src/internal/memory/MemoryBackend.ts"
import { defaults, type Settings } from "../src/internal/options.ts"
import * as Storage from "../src/internal/Storage.ts"
import type { Change } from "../src/internal/write/Log.ts"

/** A call of the log. */
export type LogCall = "append" | "sync" | "commit"

/** A storage, and what a test may do to its log. */
export interface Watched {
  readonly storage: LedgerStorage.LedgerStorage["Service"]
  /** The calls of the log, in order. */
  readonly calls: Array<LogCall>
  /** Copies of what was appended, by groups. */
  readonly groups: Array<Uint8Array>
  /** What was committed, by groups. */
  readonly commits: Array<ReadonlyArray<Change>>
  /** Whether each group that was committed was synced before. */
  readonly synced: Array<boolean>
  /** Makes the calls of a kind fail with an error, or die, until it is told otherwise. */
  readonly fail: (call: LogCall, how: "error" | "defect" | undefined) => void
  /** Why no more can be appended, if so. */
  refusal: LedgerStorageError.LedgerStorageError | undefined
  /** Each call of the log waits for it. */
  readonly gate: Latch.Latch
}

/** A full disk. */
export const noSpace = LedgerStorageError.noSpace("no space left on device", { operation: "append", storage: "memory" })

/** Opens a storage in the scope of the test. */
export const watched: (
  settings?: Partial<Settings>,
  wrap?: (backend: Backend<void>) => Backend<void>
) => Effect.Effect<Watched, never, Scope.Scope> = Effect.fnUntraced(function* (
  settings: Partial<Settings> = {},
  wrap: (backend: Backend<void>) => Backend<void> = (backend) => backend
) {
  const memory = wrap(MemoryBackend.make())
  const failing = new Map<LogCall, "error" | "defect">()
  const calls: Array<LogCall> = []
  const groups: Array<Uint8Array> = []
  const commits: Array<ReadonlyArray<Change>> = []
  const synced: Array<boolean> = []
  const gate = Latch.makeUnsafe(true)
  const call = (
    kind: LogCall,
    effect: Effect.Effect<void, LedgerStorageError.LedgerStorageError>
  ): Effect.Effect<void, LedgerStorageError.LedgerStorageError> =>
    gate.whenOpen(
      Effect.suspend(() => {
        calls.push(kind)
        const how = failing.get(kind)
        if (how === "defect") return Effect.die(new Error(`${kind} is broken`))
        return how === "error" ? Effect.fail(noSpace) : effect
      })
    )
  const backend: Backend<void> = {
    ...memory,
    log: {
      refusal: () => opened.refusal,
      append: (frames) =>
        Effect.tap(call("append", memory.log.append(frames)), () => Effect.sync(() => groups.push(frames.slice()))),
      sync: call("sync", memory.log.sync),
      commit: (written) =>
        Effect.tap(call("commit", memory.log.commit(written)), () =>
          Effect.sync(() => {
            commits.push(written.changes)
            synced.push(written.isSynced)
          })
        )
    }
  }
  const opened: Watched = {
    storage: yield* Storage.make(backend, { ...defaults, ...settings }),
    calls,
    groups,
    commits,
    synced,
    fail: (kind, how) => (how === undefined ? failing.delete(kind) : failing.set(kind, how)),
    refusal: undefined,
    gate
  }
  return opened
})
