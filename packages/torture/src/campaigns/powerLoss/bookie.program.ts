/**
 * A bookie that also says what has reached the disk.
 */

// The recorder first: modules take their functions from node:fs as they are loaded.
await import("./recordSyncs.ts")
await import("../../model/bookie.program.ts")
