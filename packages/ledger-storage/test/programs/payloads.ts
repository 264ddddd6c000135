/**
 * What the entries hold that programs of tests append: it follows from their ids.
 */

/** The payload of an entry. */
export const payloadOf = (ledgerId: bigint, entryId: bigint): Uint8Array =>
  new TextEncoder().encode(`entry ${entryId} of ledger ${ledgerId} `.repeat(1 + (Number(ledgerId + entryId) % 40)))
