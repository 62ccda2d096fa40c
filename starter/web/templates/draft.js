"use strict";
(() => {
  const press = (form, act) => {
    const button = document.createElement("button");
    Object.assign(button, { name: "do", value: act, hidden: true });
    form.append(button);
    form.requestSubmit(button);
  };

  for (const box of document.querySelectorAll("input[data-find]")) {
    const list = document.createElement("ul");
    let last = 0, timer = 0, here = -1;
    Object.assign(list, { id: `${box.id}-list`, className: "offers", hidden: true });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", box.labels[0].textContent);
    box.parentElement.after(list);
    box.type = "text";
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) box.setAttribute(name, value);

    const close = () => {
      list.hidden = true;
      here = -1;
      box.setAttribute("aria-expanded", "false");
      box.removeAttribute("aria-activedescendant");
    };
    const choose = (option) => option.dataset.act && press(box.form, option.dataset.act);
    const mark = (number) => {
      const options = [...list.children];
      here = (number + options.length) % options.length;
      options.forEach((option, index) => option.setAttribute("aria-selected", String(index === here)));
      options[here].scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", options[here].id);
    };
    const offer = (act, name, about) => {
      const option = document.createElement("li"), who = document.createElement("bdi"), more = document.createElement("span");
      option.id = `${list.id}-${list.children.length}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.act = act;
      who.textContent = name;
      more.textContent = about ? ` ${about}` : "";
      more.className = "soft";
      option.append(who, more);
      option.addEventListener("pointerdown", (event) => event.preventDefault());
      option.addEventListener("click", () => choose(option));
      list.append(option);
    };
    const look = async () => {
      const words = box.value.trim(), mine = ++last;
      if (words.length < 2) return close();
      try {
        const url = new URL(box.dataset.find, location);
        url.searchParams.set("words", words);
        const answer = await fetch(url, { cache: "no-store", redirect: "error" });
        if (!answer.ok || mine !== last) return;
        const hits = await answer.json();
        list.replaceChildren();
        for (const person of hits.people) offer(`add:${person.id}${box.dataset.number}`, person.name, person.about || person.id);
        for (const group of hits.groups) offer(`group:${group.id}${box.dataset.number}`, group.id, group.about);
        if (!list.children.length) offer("", box.dataset.none, "");
        here = -1;
        list.hidden = false;
        box.setAttribute("aria-expanded", "true");
      } catch { /* The button beside the field finds as well. */ }
    };
    box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 200); });
    box.addEventListener("blur", close);
    box.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown") mark(here + 1);
      else if (event.key === "ArrowUp") mark(here < 1 ? -1 : here - 1);
      else if (event.key === "Escape") close();
      else if (event.key === "Enter" && here >= 0) choose(list.children[here]);
      else return;
      event.preventDefault();
    });
  }

  for (const rows of document.querySelectorAll("[data-move]")) {
    let dragged = null;
    for (const row of rows.children) {
      const grip = row.querySelector(".grip");
      grip.addEventListener("pointerdown", () => { row.draggable = true; });
      row.addEventListener("dragstart", (event) => { dragged = row; event.dataTransfer.effectAllowed = "move"; row.classList.add("dragged"); });
      row.addEventListener("dragend", () => { row.draggable = false; row.classList.remove("dragged"); });
      row.addEventListener("dragover", (event) => { if (dragged && dragged !== row) event.preventDefault(); });
      row.addEventListener("drop", (event) => {
        event.preventDefault();
        if (dragged && dragged !== row) press(rows.closest("form"), `move:${dragged.dataset.row}:${row.dataset.row}`);
      });
    }
    rows.classList.add("movable");
  }
})();
