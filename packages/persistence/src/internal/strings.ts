/**
 * Strings as bytes of keys, in Java's "modified UTF-8": UTF-8 with each UTF-16
 * code unit encoded by itself, and U+0000 as `C0 80`.
 *
 * - No two strings are the same bytes, lone surrogates included.
 * - A prefix of the string is a prefix of the bytes, in code units, as
 *   `String.startsWith` has it.
 * - No byte is 0, so a 0 ends a string that has something behind it.
 */

/** The bytes of a string. */
export const encode = (text: string): Uint8Array => (special.test(text) ? encodeUnits(text) : encoder.encode(text))

/** The string of the bytes. */
export const decode = (bytes: Uint8Array): string => {
  const text = utf8(bytes)
  // What UTF-8 does not know (a surrogate by itself, or C0 80) is read as U+FFFD.
  return text.includes("\ufffd") ? decodeUnits(bytes) : text
}

/** The string of bytes in plain UTF-8; a byte order mark stays. */
export const utf8 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")

const encoder = new TextEncoder()

const special = /[\0\ud800-\udfff]/

const encodeUnits = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length * 3)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0 && unit < 0x80) {
      bytes[length++] = unit
    } else if (unit < 0x800) {
      bytes[length++] = 0xc0 | (unit >> 6)
      bytes[length++] = 0x80 | (unit & 0x3f)
    } else {
      bytes[length++] = 0xe0 | (unit >> 12)
      bytes[length++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[length++] = 0x80 | (unit & 0x3f)
    }
  }
  return bytes.slice(0, length)
}

const decodeUnits = (bytes: Uint8Array): string => {
  const units: Array<string> = []
  const tail = (at: number): number => (bytes[at] ?? 0) & 0x3f
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at] ?? 0
    if (lead < 0x80) {
      units.push(String.fromCharCode(lead))
      at += 1
    } else if (lead < 0xe0) {
      units.push(String.fromCharCode(((lead & 0x1f) << 6) | tail(at + 1)))
      at += 2
    } else {
      units.push(String.fromCharCode(((lead & 0x0f) << 12) | (tail(at + 1) << 6) | tail(at + 2)))
      at += 3
    }
  }
  return units.join("")
}
