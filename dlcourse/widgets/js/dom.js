// Small helpers to build elements.

let counter = 0;

// element("label", {class: "x", title: "y"}, child, "text")
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === true) made.setAttribute(name, "");
        else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
}

// An id that no other element of the page has.
export function uniqueId(prefix) {
    counter += 1;
    return `dlc-${prefix}-${counter}-${Math.random().toString(36).slice(2, 7)}`;
}
