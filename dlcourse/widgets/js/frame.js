// One message of the kernel as the view uses it: {header, arrays: {name: {data, shape}}}.

const KINDS = { uint8: Uint8Array, float32: Float32Array };

// content: the message; buffers: its binary parts, as DataViews (or ArrayBuffers) that may begin anywhere.
export function unpack(content, buffers) {
    const arrays = {};
    content.arrays.forEach(({ name, dtype, shape }, index) => {
        arrays[name] = { data: typed(buffers[index], KINDS[dtype]), shape };
    });
    return { header: content.header, arrays };
}

// A view on the bytes where they may be read in place, else a copy: floats need an address divisible by four.
function typed(buffer, Kind) {
    const [whole, start, bytes] = ArrayBuffer.isView(buffer)
        ? [buffer.buffer, buffer.byteOffset, buffer.byteLength]
        : [buffer, 0, buffer.byteLength];
    if (start % Kind.BYTES_PER_ELEMENT === 0) {
        return new Kind(whole, start, bytes / Kind.BYTES_PER_ELEMENT);
    }
    return new Kind(whole.slice(start, start + bytes));
}
