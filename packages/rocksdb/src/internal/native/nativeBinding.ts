/**
 * Loads the `rocksdb-native` binding once a database is to be opened, not when
 * this package is imported: where it cannot be loaded, what needs no binding
 * works all the same. A load that failed can be tried again.
 */
import { createRequire } from "node:module"
import type Binding from "rocksdb-native"

/** Loads the binding, or throws what the loader says. */
export const load = (): typeof Binding => require("rocksdb-native")

// A failed `import` would fail for good.
const require = createRequire(import.meta.url)
