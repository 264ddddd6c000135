/**
 * The suite of all storages in a realm of its own, where the bytes that Node's
 * modules make are no `instanceof Uint8Array`.
 */
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { suite } from "@effect-bookie/testing/LedgerStorageSuite"

suite("LedgerStorage.layerMemory in another realm", LedgerStorage.layerMemory)
