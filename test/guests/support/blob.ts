/** First bytes of the guest's deterministic content, `/blob`: the generator of src/lab/guest/src/blob.h. */
export function blobBytes(count: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(count / 4) * 4);
  let state = 0x9e3779b9;
  for (let offset = 0; offset < bytes.length; offset += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeUInt32LE(state >>> 0, offset);
  }
  return bytes.subarray(0, count);
}
