/**
 * Stores entries until it ends in some way, as ./storeAndEnd.ts says, while its
 * syncs are watched.
 */

// The watch first: modules take their functions from node:fs as they are loaded.
await import("../../harness/DiskWatch.ts")
await import("./storeAndEnd.ts")
