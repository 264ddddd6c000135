/**
 * The suite of all storages over the one in memory, and over what is in front of
 * every storage on disk: with bounds so small that each of them is met, and with
 * a backend that takes its time, so that calls meet each other at every step.
 */
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { suite } from "@effect-bookie/testing/LedgerStorageSuite"
import { Effect, Layer, Random, Stream } from "effect"
import type { Backend } from "../src/internal/Backend.ts"
import * as MemoryBackend from "../src/internal/memory/MemoryBackend.ts"
import { defaults, type Settings } from "../src/internal/options.ts"
import * as Storage from "../src/internal/Storage.ts"

const layer = (settings: Partial<Settings>, wrap: (backend: Backend<void>) => Backend<void> = (backend) => backend) =>
  Layer.effect(
    LedgerStorage.LedgerStorage,
    Effect.suspend(() => Storage.make(wrap(MemoryBackend.make()), { ...defaults, ...settings }))
  )

/** Every call of the backend gives way to others for a few turns. */
const slow = (backend: Backend<void>): Backend<void> => {
  const pause = Effect.flatMap(Random.nextIntBetween(0, 4), (turns) => Effect.replicateEffect(Effect.yieldNow, turns))
  const slowly = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.andThen(
      pause,
      Effect.tap(effect, () => pause)
    )
  return {
    ...backend,
    ledger: (ledgerId) => slowly(backend.ledger(ledgerId)),
    readMany: (keys) => slowly(backend.readMany(keys)),
    entries: (ledgerId, span) => Stream.tap(Stream.rechunk(backend.entries(ledgerId, span), 7), () => pause),
    log: {
      refusal: backend.log.refusal,
      append: (frames) => slowly(backend.log.append(frames)),
      sync: slowly(backend.log.sync),
      commit: (written) => slowly(backend.log.commit(written))
    }
  }
}

const small: Partial<Settings> = { maxBytesInFlight: 4096, recentEntries: 4096, maxIdleLedgers: 2 }

suite("LedgerStorage.layerMemory", LedgerStorage.layerMemory)
suite("small bounds", layer(small))
suite("a slow backend and no recent entries", layer({ recentEntries: 0 }, slow))
suite("a slow backend and small bounds", layer(small, slow))
