/**
 * The suite of all storages over the one on disk, and with bounds so small that
 * each of them is met: logs that are full after a few groups, entries that are
 * never in memory, parts of a few bytes to read.
 */
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { suite } from "@effect-bookie/testing/LedgerStorageSuite"

suite("LedgerStorage.layerTemp", LedgerStorage.layerTemp())
suite(
  "small bounds on disk",
  LedgerStorage.layerTemp({ maxLogSize: "64 KiB", maxBytesInFlight: "4 KiB", recentEntries: 0, readAhead: "2 KiB" })
)
