/**
 * Typed arrays that grow.
 */

/** The same words, with room for as many again. */
export const doubled = (words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(2 * words.length)
  larger.set(words)
  return larger
}

/** The same numbers, with room for as many again. */
export const doubledNumbers = (numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
  const larger = new Float64Array(2 * numbers.length)
  larger.set(numbers)
  return larger
}

/** The same bytes, with room for as many again. */
export const doubledBytes = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
  const larger = new Uint8Array(2 * bytes.length)
  larger.set(bytes)
  return larger
}
