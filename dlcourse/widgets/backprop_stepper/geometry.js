// Where the boxes and the lines of the graph are, in pixels. The kernel has chosen columns and rows; here is no DOM.

export const HEAD = 9; // an arrow's head
const BOX = 60, CONSTANT = 30, ROW = 88, MARGIN = 10;
const LETTER = 7.4, WIDE = { number: 86, tensor: 72 }, GAPS = { number: 60, tensor: 52 };

// How wide a box is: by its title, and by what it may hold later, so that nothing moves when a number appears.
export function boxWidth(node, tensors) {
    if (node.kind === "constant") return Math.max(44, 24 + LETTER * node.name.length);
    return Math.max(WIDE[tensors ? "tensor" : "number"], 22 + LETTER * title(node).length);
}

// The words in the first line of a box, as one text.
export function title(node) {
    if (node.kind !== "operation" || !node.symbol) return node.name;
    return `${node.symbol}${node.labelled ? " → " : " "}${node.name}`;
}

// {width, height, boxes: [{x, y, width, height}] (x, y: the middle), lines: [{d, head, tail, label}]; head, tail: where it ends and begins}
export function sheet(nodes, wires, tensors) {
    const gap = GAPS[tensors ? "tensor" : "number"];
    const widths = nodes.map((node) => boxWidth(node, tensors));
    const columns = [];
    nodes.forEach((node, at) => {
        columns[node.column] = Math.max(columns[node.column] ?? 0, widths[at]);
    });
    const spans = [];
    let left = MARGIN;
    for (const width of columns) {
        spans.push([left, left + width]);
        left += width + gap;
    }
    const heights = nodes.map((node) => (node.kind === "constant" ? CONSTANT : BOX));
    const bends = wires.flatMap((wire) => wire.bends.map(([, row]) => row * ROW));
    const tops = [...nodes.map((node, at) => node.row * ROW - heights[at] / 2), ...bends];
    const bottoms = [...nodes.map((node, at) => node.row * ROW + heights[at] / 2), ...bends];
    const shift = MARGIN - Math.min(...tops);
    const boxes = nodes.map((node, at) => ({
        x: (spans[node.column][0] + spans[node.column][1]) / 2, y: node.row * ROW + shift, width: widths[at], height: heights[at],
    }));
    const at = new Map(nodes.map((node, index) => [node.id, index]));
    const lines = wires.map((wire) => line(wire, boxes, at, nodes, spans, shift));
    return { width: left - gap + MARGIN, height: Math.max(...bottoms) + shift + MARGIN, boxes, lines };
}

// Where input `slot` of `count` enters, in heights of the box from its middle: the first at the top.
export function port(slot, count) {
    return count < 2 ? 0 : 0.5 * (slot / (count - 1) - 0.5);
}

// A smooth line from box to box that bends only between columns, so that it never runs through a box.
function line(wire, boxes, at, nodes, spans, shift) {
    const [from, to] = [boxes[at.get(wire.source)], boxes[at.get(wire.target)]];
    const entry = to.y + port(wire.slot, wire.count) * to.height;
    const column = (id) => spans[nodes[at.get(id)].column];
    const stations = [...wire.bends.map(([place, row]) => [...spans[place], row * ROW + shift]), [...column(wire.target), entry]];
    const path = [`M ${from.x + from.width / 2} ${from.y}`];
    let [x, y] = [column(wire.source)[1], from.y];
    for (const [left, right, down] of stations) {
        const end = left - HEAD, middle = (x + end) / 2;
        path.push(`L ${x} ${y} C ${middle} ${y} ${middle} ${down} ${end} ${down}`);
        [x, y] = [right, down];
    }
    const tip = to.x - to.width / 2;
    path.push(`L ${tip - HEAD + 1} ${entry}`);
    return { d: path.join(" "), head: [tip, entry], tail: [from.x + from.width / 2, from.y], label: { x: column(wire.target)[0] - HEAD - 3, y: entry - 5 } };
}
