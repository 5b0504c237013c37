// A control for each kind of parameter, bound both ways: moving it sets the trait, setting the trait moves it.

import { element, uniqueId } from "./dom.js";
import { slider, text } from "./scale.js";

// view: a View. Returns {el, show(value)}.
export function control(view, name, param) {
    const make = { number, whole, choice, several, flag, widths }[param.kind];
    const made = make(view, name, param, (value) => view.set(name, value));
    made.el.classList.add("dlc-control");
    made.el.dataset.param = name;
    if (param.help) made.el.title = param.help;
    return made;
}

function labelled(param, input, ...after) {
    const id = uniqueId("control");
    input.id = id;
    if (param.help) input.setAttribute("aria-description", param.help);
    return element("div", {}, element("label", { for: id }, param.label), input, ...after);
}

function number(view, name, param, set) {
    const scale = slider(param);
    const input = element("input", { type: "range", min: 0, max: scale.positions, step: 1, name });
    const shown = element("output", { "aria-hidden": "true" });
    const write = (value) => {
        shown.textContent = text(value);
        input.setAttribute("aria-valuetext", text(value));
    };
    input.addEventListener("input", () => {
        const value = scale.toValue(Number(input.value));
        write(value);
        set(value);
    }, { signal: view.signal });
    return {
        el: labelled(param, input, shown),
        show(value) {
            input.value = scale.toPosition(value);
            write(value);
        },
    };
}

function whole(view, name, param, set) {
    const wide = param.high - param.low > 300;
    const input = element("input", { type: wide ? "number" : "range", min: param.low, max: param.high, step: 1, name });
    const shown = element("output", { "aria-hidden": "true" });
    input.addEventListener(wide ? "change" : "input", () => {
        const value = Math.min(Math.max(Math.round(Number(input.value) || 0), param.low), param.high);
        input.value = value;
        if (!wide) shown.textContent = value;
        set(value);
    }, { signal: view.signal });
    return {
        el: labelled(param, input, ...(wide ? [] : [shown])),
        show(value) {
            input.value = value;
            if (!wide) shown.textContent = value;
        },
    };
}

function choice(view, name, param, set) {
    const input = element("select", { name }, ...param.options.map((option) => (
        element("option", { value: option }, option.replaceAll("_", " "))
    )));
    input.addEventListener("change", () => set(input.value), { signal: view.signal });
    return {
        el: labelled(param, input),
        show(value) {
            input.value = value;
        },
    };
}

function several(view, name, param, set) {
    const boxes = param.options.map((option) => {
        const box = element("input", { type: "checkbox", value: option, name });
        box.addEventListener("change", () => {
            const chosen = boxes.filter((each) => each.checked).map((each) => each.value);
            if (chosen.length) set(chosen);
            else box.checked = true; // the last one stays
        }, { signal: view.signal });
        return box;
    });
    const labels = boxes.map((box) => element("label", { class: "dlc-box" }, box, box.value));
    return {
        el: element("fieldset", {}, element("legend", {}, param.label), ...labels),
        show(value) {
            for (const box of boxes) box.checked = value.includes(box.value);
        },
    };
}

function flag(view, name, param, set) {
    const input = element("input", { type: "checkbox", name });
    input.addEventListener("change", () => set(input.checked), { signal: view.signal });
    const label = element("label", { class: "dlc-box" }, input, param.label);
    return {
        el: element("div", {}, label),
        show(value) {
            input.checked = value;
        },
    };
}

// Units per layer: a row of "− 4 +", and buttons for one layer more or fewer.
function widths(view, name, param, set) {
    const row = element("div", { class: "dlc-widths" });
    let now = [];
    const change = (next, focus) => {
        set(next);
        show(next);
        row.querySelector(`[data-key="${focus}"]`)?.focus();
    };
    const button = (label, words, key, enabled, then) => {
        const made = element("button", { type: "button", "aria-label": words, title: words, "data-key": key }, label);
        made.setAttribute("aria-disabled", String(!enabled));
        made.addEventListener("click", () => enabled && change(then(), key), { signal: view.signal });
        return made;
    };
    const show = (value) => {
        const focused = row.contains(document.activeElement) ? document.activeElement.dataset.key : null;
        now = [...value];
        row.replaceChildren(
            button("−", "One hidden layer fewer", "fewer", now.length > 0, () => now.slice(0, -1)),
            element("span", {}, now.length === 1 ? "1 hidden layer" : `${now.length} hidden layers`),
            button("+", "One hidden layer more", "more", now.length < param.most, () => [...now, now.at(-1) ?? 4]),
            ...now.map((units, index) => element(
                "span", { class: "dlc-width" },
                button("−", `Layer ${index + 1}: one unit fewer`, `less-${index}`, units > 1, () => now.with(index, units - 1)),
                element("span", {}, String(units)),
                button("+", `Layer ${index + 1}: one unit more`, `plus-${index}`, units < param.high, () => now.with(index, units + 1)),
            )),
        );
        if (focused) row.querySelector(`[data-key="${focused}"]`)?.focus();
    };
    return { el: element("fieldset", {}, element("legend", {}, param.label), row), show };
}
