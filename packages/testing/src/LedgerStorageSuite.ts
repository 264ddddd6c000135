/**
 * What every storage must do behind the `LedgerStorage` service: `suite(name,
 * layer)` runs it for one of them.
 *
 * The tests share one storage, which need not be empty, and each makes ledgers of
 * its own; those about the release build the layer again. Nothing here assumes
 * how fast a storage is, or where it keeps its ledgers: time is real, nothing is
 * asserted about it, and what a test needs to know it asks the service.
 */
import { describe, it } from "@effect/vitest"
import type { LedgerStorage, LedgerStorageError } from "@effect-bookie/ledger-storage"
import type { Layer } from "effect"
import { appends } from "./ledgerStorage/appends.ts"
import { argumentChecks } from "./ledgerStorage/arguments.ts"
import { deletes } from "./ledgerStorage/deletes.ts"
import { fences } from "./ledgerStorage/fences.ts"
import { interruptions } from "./ledgerStorage/interruptions.ts"
import { ledgers } from "./ledgerStorage/ledgers.ts"
import { model } from "./ledgerStorage/model.ts"
import { reads } from "./ledgerStorage/reads.ts"
import { releases } from "./ledgerStorage/releases.ts"
import { streams } from "./ledgerStorage/streams.ts"
import { tails } from "./ledgerStorage/tails.ts"
import { upkeep } from "./ledgerStorage/upkeep.ts"

/** Declares the tests of a storage. */
export const suite = (
  name: string,
  layer: Layer.Layer<LedgerStorage.LedgerStorage, LedgerStorageError.LedgerStorageError>
): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    describe("ledgers", () => ledgers(it))
    describe("appends", () => appends(it))
    describe("reads", () => reads(it))
    describe("streams", () => streams(it))
    describe("tails", () => tails(it))
    describe("fences", () => fences(it))
    describe("deletes", () => deletes(it))
    describe("upkeep", () => upkeep(it))
    describe("arguments", () => argumentChecks(it))
    describe("interruptions", () => interruptions(it))
    describe("random histories", () => model(it))
    describe("the release", () => releases(it, layer))
  })
}
