// Logarithms as bytes: 0 stands for `reach` decades below 1, 254 for as many above, 127 for no change.

export function quantised(logs, reach) {
    return Uint8Array.from(logs, (log) => (
        Number.isNaN(log) ? 255 : Math.round(127 + 127 * Math.min(Math.max(log / reach, -1), 1))
    ));
}
