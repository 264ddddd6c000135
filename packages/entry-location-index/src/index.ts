/**
 * An index from (ledger, entry) to a place in an entry log, on RocksDB.
 */
export { EntryId, LedgerId, Location } from "@effect-bookie/entry-log"
export * as EntryLocationIndex from "./EntryLocationIndex.ts"
export * as EntryLocationMetrics from "./EntryLocationMetrics.ts"
export * as IndexRebuild from "./IndexRebuild.ts"
