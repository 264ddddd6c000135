/**
 * A cursor that never mistakes an unreadable block for the end of the data.
 *
 * Going backwards from an upper bound, both bindings seek to the bound and, if
 * nothing is there, to the last key of the database. A block that cannot be
 * read looks to them as if nothing were there, and the last key lies outside
 * of the range: so the cursor finds nothing, and reports nothing. Seeking the
 * same bound forwards does report it.
 */
import type * as Engine from "../Engine.ts"

/** Opens a cursor of the database. */
export const open = (database: Engine.Database, options: Engine.CursorOptions): Engine.Cursor => {
  const { reverse, upper } = options
  const cursor = database.cursor(options)
  if (!reverse || upper === undefined) return cursor
  let first = true
  return {
    next: async () => {
      const entries = await cursor.next()
      if (first && entries.length === 0) await seek(database, upper)
      first = false
      return entries
    },
    end: cursor.end
  }
}

/** Rejects if the block that a bound lies in cannot be read. */
const seek = async (database: Engine.Database, { key }: Engine.Bound): Promise<void> => {
  const cursor = database.cursor({
    lower: { key, inclusive: true },
    upper: undefined,
    reverse: false,
    keysOnly: true,
    limit: 1
  })
  try {
    await cursor.next()
  } finally {
    await cursor.end()
  }
}
