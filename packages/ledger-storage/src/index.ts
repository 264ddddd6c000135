/**
 * Ledgers as a scoped Effect service: append, read, follow, fence, delete.
 */
export * as EntryId from "@effect-bookie/entry-log/EntryId"
export * as LedgerId from "@effect-bookie/entry-log/LedgerId"
export * as LedgerStorage from "./LedgerStorage.ts"
export * as LedgerStorageError from "./LedgerStorageError.ts"
export * as LedgerStorageMetrics from "./LedgerStorageMetrics.ts"
