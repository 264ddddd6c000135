/**
 * Ledgers as a scoped Effect service: append, read, follow, fence, delete.
 */
export { EntryId, LedgerId } from "@effect-bookie/entry-log"
export * as LedgerStorage from "./LedgerStorage.ts"
export * as LedgerStorageError from "./LedgerStorageError.ts"
export * as LedgerStorageMetrics from "./LedgerStorageMetrics.ts"
