// The stepper's view: what to differentiate, the graph, the present step explained, the guess, and all of it as a table.

import { element } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { widget } from "../js/widget.js";
import { HEAD, sheet } from "./geometry.js";

const LEAST = 0.93; // of its natural size, so that no text is below 12 pixels: where that is too wide, it scrolls

export default widget((view) => {
    const input = new Input(view);
    const graph = new Graph(view);
    const explanation = new Explanation();
    const guess = new Guess(view, explanation);
    const table = new NodeTable();
    view.body.append(
        input.el,
        view.hideable("graph", element("div", { class: "bs-graph" }, graph.el, graph.legend)),
        element("div", { class: "bs-below" }, view.hideable("explanation", explanation.el), guess.el),
        view.hideable("table", table.el),
    );
    return {
        paint({ header }) {
            for (const part of [input, graph, explanation, guess, table]) part.paint(header);
        },
    };
});

// The list, the expression, its numbers.
class Input {
    constructor(view) {
        this.view = view;
        this.shown = null;
        this.field = element("input", {
            type: "text", name: "expression", class: "bs-field", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
            "aria-label": "expression", "aria-description": "Enter draws it.",
        });
        this.field.addEventListener("change", () => this.write(), { signal: view.signal });
        this.field.addEventListener("keydown", (event) => {
            if (event.key === "Escape") this.restore();
        }, { signal: view.signal });
        const examples = view.control("example");
        examples.addEventListener("change", (event) => {
            if (event.target.value === "own") this.field.select(); // it is the learner's turn to type
        }, { signal: view.signal });
        const hint = element("p", { class: "bs-hint" }, "Enter draws it. + − * / **, parentheses, exp, log, sqrt, tanh, sigmoid, relu; steps with names: h = a * b; h + 1");
        const expression = element("div", { class: "bs-expression" }, this.field, hint);
        this.numbers = element("div", { class: "bs-numbers", role: "group", "aria-label": "numbers of the variables" });
        this.fields = new Map();
        const choices = element("div", { class: "bs-choices" }, examples, view.control("guessing"), view.control("pace"));
        this.el = element("div", { class: "bs-input" },
            choices, view.hideable("expression", expression), view.hideable("numbers", this.numbers));
    }

    write() {
        this.view.act("write", { expression: this.field.value }).then(
            () => this.field.removeAttribute("aria-invalid"),
            () => this.field.setAttribute("aria-invalid", "true"), // what was typed stays, to be mended
        );
    }

    restore() {
        this.shown = null;
        this.view.forgive();
        this.view.repaint();
    }

    paint(header) {
        const expression = this.view.get("expression").replaceAll("\n", "; ");
        if (expression !== this.shown) {
            this.shown = this.field.value = expression;
            this.field.removeAttribute("aria-invalid");
        }
        if ([...this.fields.keys()].join() !== header.variables.map(({ name }) => name).join()) this.build(header.variables);
        for (const { name, value } of header.variables) {
            const field = this.fields.get(name);
            if (field !== document.activeElement) field.value = value;
        }
    }

    build(variables) {
        this.fields.clear();
        this.numbers.replaceChildren(...variables.map(({ name }) => {
            const field = element("input", { type: "number", step: 0.1, name, "aria-label": `${name} =` });
            const latest = new Latest((args) => this.view.act("assign", args));
            field.addEventListener("input", () => {
                if (field.value !== "" && Number.isFinite(Number(field.value))) latest.want({ variable: name, value: Number(field.value) });
            }, { signal: this.view.signal });
            field.addEventListener("blur", () => this.view.repaint(), { signal: this.view.signal });
            this.fields.set(name, field);
            return element("label", { class: "bs-number" }, element("span", { "aria-hidden": "true" }, `${name} =`), field);
        }));
    }
}

// The picture. What it shows, the table says in words.
class Graph {
    constructor(view) {
        this.view = view;
        this.step = null;
        this.el = element("div", { class: "bs-scroll", tabindex: 0, role: "region", "aria-label": "Graph" });
        this.legend = element("p", { class: "bs-hint" });
    }

    paint(header) {
        const { nodes, wires } = header;
        const moved = header.run.step !== this.step;
        this.step = header.run.step;
        const place = sheet(nodes, wires, header.tensors);
        const label = `Graph of ${nodes.length} nodes, from the variables on the left to ${header.result} on the right. ${header.say} The table below has all of it.`;
        const svg = shape("svg", { viewBox: `0 0 ${place.width} ${place.height}`, role: "img", "aria-label": label });
        svg.style.width = "100%";
        svg.style.maxWidth = `${place.width}px`;
        svg.style.minWidth = `${Math.round(place.width * LEAST)}px`;
        wires.forEach((wire, at) => svg.append(this.line(wire, place.lines[at], moved)));
        nodes.forEach((node, at) => svg.append(this.box(node, place.boxes[at], header.run.step <= header.turn)));
        wires.forEach((wire, at) => svg.append(...this.share(wire, place.lines[at])));
        this.el.replaceChildren(svg);
        this.legend.textContent = `In each box its ${header.tensors ? "shape" : "value"}, and after ∇ its gradient, d ${header.result} / d this. On the lines, the shares that come back.`;
        this.follow(nodes, place);
    }

    line(wire, { d, head, tail }, moved) {
        const flow = wire.now ? ` bs-${wire.now}${moved && !this.view.reduced ? " bs-flow" : ""}` : "";
        const group = shape("g", { class: `bs-wire${flow}` });
        group.append(shape("path", { d, class: "bs-under" }));
        if (wire.now) group.append(shape("path", { d, class: "bs-over", pathLength: 1 }));
        if (wire.now === "backward") group.append(shape("path", { d: arrow(...tail, 1), class: "bs-tail" }));
        group.append(shape("path", { d: arrow(...head, -1), class: "bs-head" }));
        return group;
    }

    // What has been handed back along a line.
    share(wire, { label: { x, y } }) {
        if (!wire.share) return [];
        return [shape("text", { x, y, class: `bs-share${wire.now === "backward" ? " bs-now" : ""}` }, wire.share)];
    }

    box(node, { x, y, width, height }, forward) {
        const classes = ["bs-node", `bs-${node.kind}`, `bs-${node.state}`];
        if (node.now) classes.push(forward ? "bs-now-forward" : "bs-now-backward");
        if (node.complete) classes.push("bs-complete");
        const group = shape("g", { class: classes.join(" "), transform: `translate(${x} ${y})` });
        const radius = node.kind === "operation" ? 7 : height / 2;
        group.append(shape("rect", { x: -width / 2, y: -height / 2, width, height, rx: Math.min(radius, 15), class: "bs-box" }));
        if (node.kind === "constant") {
            group.append(shape("text", { y: 5, class: "bs-title" }, node.name));
            return group;
        }
        const heading = shape("text", { y: -13, class: "bs-title" });
        if (node.symbol) heading.append(shape("tspan", {}, node.symbol + (node.labelled ? " → " : " ")));
        heading.append(shape("tspan", { class: node.symbol && !node.labelled ? "bs-name" : "" }, node.name));
        group.append(heading);
        group.append(shape("text", { y: 5, class: "bs-value" }, node.state === "failed" ? "no value" : node.value));
        if (node.grad) group.append(shape("text", { y: 22, class: "bs-grad" }, `∇ ${node.short}${node.complete ? "" : " …"}`));
        return group;
    }

    // The present node stays in sight of who looks at a part.
    follow(nodes, { width, boxes }) {
        const at = nodes.findIndex((node) => node.now);
        const { scrollWidth, clientWidth } = this.el;
        if (scrollWidth <= clientWidth + 1) return;
        const middle = at < 0 ? 0 : (boxes[at].x / width) * scrollWidth;
        this.el.scrollTo({ left: middle - clientWidth / 2, behavior: this.view.reduced ? "auto" : "smooth" });
    }
}

// The present step in formulas.
class Explanation {
    constructor() {
        this.title = element("p", { class: "bs-step", tabindex: -1 });
        this.formula = element("p", { class: "bs-formula" });
        this.matrix = element("div");
        this.lines = element("ul", { class: "bs-lines" });
        this.el = element("div", { class: "bs-explanation" }, this.title, this.formula, this.matrix, this.lines);
    }

    paint({ now }) {
        this.title.textContent = now.title;
        this.formula.textContent = now.formula;
        this.matrix.replaceChildren(...matrix(now.matrix, "the result"));
        this.lines.hidden = now.lines.length === 0;
        this.lines.replaceChildren(...now.lines.map((line) => {
            const parts = line.numbers === line.amount ? [line.rule] : [line.rule, line.numbers];
            const formula = element("span", { class: "bs-mono" }, `${parts.join(" = ")} = `);
            return element("li", {},
                element("span", { class: "bs-to" }, "to ", element("strong", {}, line.to)), " ", formula, element("strong", { class: "bs-amount" }, line.amount),
                ...(line.sum ? [element("div", { class: "bs-sum" }, `All shares of ${line.to}: ${line.sum}`)] : []),
                ...(line.note ? [element("div", { class: "bs-sum" }, line.note)] : []),
                ...matrix(line.matrix, `the share of ${line.to}`),
            );
        }));
    }
}

// A small tensor's numbers.
function matrix(rows, what) {
    if (!rows) return [];
    return [element("table", { class: "bs-matrix", "aria-label": what },
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((each) => element("td", {}, each))))))];
}

// The question before a step back, what was said to the answer, and how many were right.
class Guess {
    constructor(view, explanation) {
        this.view = view;
        this.explanation = explanation;
        this.context = element("p", { class: "bs-context" });
        this.asked = element("span", { class: "bs-asked" });
        this.field = element("input", { type: "text", inputmode: "text", name: "guess", autocomplete: "off", size: 9 });
        this.form = element("form", { class: "bs-form" }, element("label", {}, this.asked, " ", this.field),
            element("button", { type: "submit", class: "dlc-button" }, "Check"),
            view.button("Show me", () => view.act("step"), { title: "Take the step without a guess" }));
        this.verdict = element("p", { class: "bs-verdict" });
        this.score = element("p", { class: "bs-score" });
        this.el = element("div", { class: "bs-guess", hidden: true }, this.context, this.form, this.verdict, this.score);
        this.step = null;
        this.form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.check();
        }, { signal: view.signal });
    }

    check() {
        const typed = this.field.value.trim().replace("−", "-").replace(",", ".");
        if (typed === "" || !Number.isFinite(Number(typed))) {
            this.say("Type a number, such as −0.5, or press Show me.", false);
            this.view.say(this.verdict.textContent);
            return;
        }
        this.view.act("guess", { number: Number(typed) }).then(({ right }) => {
            if (!right) this.field.select();
        }, () => {});
    }

    say(text, right) {
        this.verdict.textContent = text;
        this.verdict.classList.toggle("bs-right", right);
        this.verdict.classList.toggle("bs-wrong", Boolean(text) && !right);
    }

    paint({ question, verdict, score }) {
        this.el.hidden = !question && !verdict && score.answered === 0;
        if (question?.step !== this.step) {
            this.field.value = "";
            this.step = question?.step ?? null;
        }
        if (!question && this.form.contains(document.activeElement)) this.explanation.title.focus(); // not lost with the form
        this.form.hidden = this.context.hidden = !question;
        if (question) {
            this.context.textContent = question.context;
            this.asked.textContent = question.text;
        }
        this.say(verdict?.text ?? "", verdict?.right ?? false);
        this.score.textContent = score.answered ? `${score.right} of ${score.answered} right at the first try` : "";
    }
}

// All that the picture shows, in words and numbers.
class NodeTable {
    constructor() {
        this.rows = element("tbody");
        const names = ["node", "made by", "value", "gradient", "shares that have come back"];
        const table = element("table", { class: "bs-table" },
            element("caption", { class: "dlc-unseen" }, "All nodes, in the order of the way forward"),
            element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))), this.rows);
        this.el = element("details", { class: "bs-details" }, element("summary", {}, "All nodes as a table"),
            element("div", { class: "bs-scroll", tabindex: 0, role: "region", "aria-label": "Table of nodes" }, table));
    }

    paint({ nodes }) {
        this.rows.replaceChildren(...nodes.map((node) => {
            const shares = node.shares.map((share) => element("div", {}, `from ${share.from}: ${share.rule} = ${share.numbers} = ${share.amount}`));
            const kind = node.made || { constant: "a constant", leaf: "a variable", data: "data" }[node.kind];
            const later = ["constant", "data"].includes(node.kind) ? "none wanted" : "not yet";
            const grad = node.grad ? `${node.grad}${node.complete ? "" : " so far"}` : later;
            return element("tr", { class: node.now ? "bs-now" : "" },
                element("th", { scope: "row" }, node.name),
                element("td", {}, kind),
                element("td", {}, node.state === "failed" ? "no finite value" : node.value || "not yet", ...matrix(node.matrix, `${node.name}: value`)),
                element("td", {}, grad, ...matrix(node.gradMatrix, `${node.name}: gradient`)),
                element("td", {}, ...shares));
        }));
    }
}

// A head whose tip is at a place; it lies to the left (-1) or to the right (1) of it.
function arrow(x, y, side) {
    return `M ${x} ${y} l ${side * HEAD} ${-HEAD / 2.2} v ${HEAD / 1.1} Z`;
}

function shape(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
}
