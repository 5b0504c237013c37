// JupyterLab listens to every key: on a focused button, `b` would insert a cell, and a slider's arrows would move the
// selection. So keys pressed inside a widget stay inside it, but for those that lead out or belong to the browser.

export function leavesWidget(event) {
    return event.key === "Tab" || event.key === "Escape" || event.ctrlKey || event.metaKey
        || (event.key === "Enter" && event.shiftKey);
}

export function guardKeys(root, signal) {
    root.addEventListener("keydown", (event) => {
        if (!leavesWidget(event)) event.stopPropagation();
    }, { signal });
}
