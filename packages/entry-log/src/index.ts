/**
 * Apache BookKeeper entry log files: append, read and scan.
 */
export * as EntryId from "./EntryId.ts"
export * as EntryLog from "./EntryLog.ts"
export * as EntryLogMetrics from "./EntryLogMetrics.ts"
export * as EntryLogError from "./EntryLogError.ts"
export * as LedgerId from "./LedgerId.ts"
export * as Location from "./Location.ts"
