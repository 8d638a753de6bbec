// One question and what became of it: the decision, the experts as they run, the answer, its evidence, the ledger.

import { colourOf } from "./boxes.js";
import { button, count, el, seconds, show } from "./dom.js";

export const wordsOf = (region) => region.text ?? (region.label || "region");

export const MOST = { regions: 1000, label: 200, text: 4000, source: 64 }; // as in agent/server/wire.py

const cut = (words, most) => (words?.length > most ? [...words].slice(0, most).join("") : words);

/** What the server takes of a region. */
export const fieldsOf = ({ box, label, score, text, source }) =>
  ({ box, label: cut(label, MOST.label), score, text: cut(text, MOST.text), source: cut(source, MOST.source) });

/** Regions to answer from: each once, within what the server takes. */
export function given(regions) {
  const once = new Map(regions.map((region) => [JSON.stringify(fieldsOf(region)), { ...region, ...fieldsOf(region) }]));
  return [...once.values()].slice(0, MOST.regions);
}

const letter = (index) => String.fromCharCode(65 + index);

export class Turn extends EventTarget {
  /** `asked` is what was sent; `regions` those that came with it. Says `hover`, `pick`, `edit`, `again`, `compare`, … */
  constructor(asked, { title = "", small = false, own = null } = {}) {
    super();
    this.asked = asked;
    this.small = small;
    this.own = own; // the controller's own threshold, where the server knows it
    this.regions = (asked.regions ?? []).map((region, index) => ({ ...region, id: String(index) }));
    this.experts = new Map();
    this.answer = null;
    this.edited = false;
    this.build(title);
  }

  build(title) {
    const { asked } = this;
    this.live = el("p", { class: "live muted" });
    this.meter = el("div", { class: "meter", hidden: true });
    this.runs = el("ul", { class: "runs" });
    this.said = el("div", { class: "said", hidden: true });
    this.rows = el("ol", { class: "evidence" });
    this.others = el("details", { class: "others", hidden: true });
    this.cost = el("details", { class: "cost", hidden: true });
    this.actions = el("div", { class: "actions", hidden: true });
    this.again = el("div", { class: "again", hidden: true });
    const how = [asked.box && "a part", asked.regions && "corrected regions", asked.mode !== "learned" && asked.mode].filter(Boolean);
    this.root = el(this.small ? "section" : "li", { class: this.small ? "turn small" : "turn", "aria-label": title || asked.question },
      this.small ? el("h4", {}, title) : el("h3", {}, el("button", { type: "button", class: "question", on: { click: () => this.say("activate") } }, asked.question),
        ...how.map((word) => el("span", { class: "chip" }, word))),
      asked.options?.length && !this.small ? el("p", { class: "muted options" }, asked.options.map((option, index) => `${letter(index)}. ${option}`).join("   ")) : null,
      this.meter, this.runs, this.live, this.said, this.rows, this.others, this.again, this.actions, this.cost);
  }

  say(kind, detail = {}) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  /** One event of the stream; returns the line that says what happens now. */
  event(event) {
    if (event.kind === "waiting") return this.now(`Waiting for ${count(event.ahead, "other question")}…`);
    if (event.kind === "decision") return this.decided(event);
    if (event.kind === "expert_started") {
      const row = el("li", { class: "running" }, el("b", {}, event.call.expert), el("span", {}, " is working…"));
      this.runs.append(row);
      const waiting = this.experts.get(JSON.stringify(event.call)) ?? [];
      this.experts.set(JSON.stringify(event.call), [...waiting, row]);
      return this.now(`${event.call.expert} is working…`);
    }
    if (event.kind === "expert_finished") return this.finished(event.result);
    if (event.kind === "focus") return this.now("Answering…");
    if (event.kind === "delta") {
      show(this.said);
      this.said.append(event.text);
    }
    return null;
  }

  now(line) {
    this.live.textContent = line;
    return line;
  }

  decided({ round, decision }) {
    const names = [...new Set(decision.calls.map((call) => call.expert))];
    const does = names.length ? `asks ${names.join(", ")}` : round ? "has seen enough" : "answers directly";
    if (round === 0) this.decide(decision, does);
    return this.now(names.length ? `The controller ${does}…` : "Answering…");
  }

  decide(decision, does) {
    const { mode } = this.asked;
    const at = this.asked.threshold ?? this.own;
    const p = decision.p_call;
    const why = mode !== "learned" ? `mode ${mode}` : at === null ? "" : p >= at && at < 1 ? `at or above ${at.toFixed(2)}` : `below ${at.toFixed(2)}`;
    const bar = el("div", { class: "bar-outer", role: "img", "aria-label": `p_call ${p.toFixed(2)}${at === null ? "" : `, threshold ${at.toFixed(2)}`}` }, el("div", { class: "bar-inner" }));
    bar.firstChild.style.width = `${100 * p}%`;
    if (at !== null && mode === "learned") {
      const tick = el("div", { class: "tick", title: `threshold ${at.toFixed(2)}` });
      tick.style.left = `${100 * at}%`;
      bar.append(tick);
    }
    this.meter.replaceChildren(
      el("p", {}, el("b", {}, "Decision: "), `the controller ${does}`),
      el("p", { class: "muted figures" }, `p_call ${p.toFixed(2)}${why ? `, ${why}` : ""}`), bar);
    show(this.meter);
  }

  finished(result) {
    const row = this.experts.get(JSON.stringify(result.call))?.shift() ?? this.runs.appendChild(el("li"));
    row.className = result.error ? "failed" : "done";
    const spent = result.cached ? "known already" : seconds(result.ms);
    const line = result.error ? `failed: ${result.error}` : `found ${count(result.regions.length, "region")} (${spent})`;
    row.replaceChildren(el("b", {}, result.call.expert), ` ${line}`);
    const args = Object.entries(result.call.args).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ");
    if (args) row.append(el("code", {}, args));
    for (const region of result.regions) this.regions.push({ ...region, id: String(this.regions.length) });
    return this.now(`${result.call.expert} ${line}`);
  }

  /** The answer is there. */
  done(reply) {
    const answer = reply.answer;
    this.reply = reply;
    this.answer = answer;
    for (const region of this.regions) region.number = 0;
    answer.evidence.forEach((found, index) => {
      const same = (region) => !region.number && JSON.stringify(region.box) === JSON.stringify(found.box) && wordsOf(region) === wordsOf(found);
      let region = this.regions.find(same);
      if (!region) this.regions.push(region = { ...found, id: String(this.regions.length) });
      region.number = index + 1;
    });
    this.live.textContent = "";
    const choice = this.asked.options?.length && answer.choice !== null ? `${letter(answer.choice)}. ` : "";
    const sure = answer.confidence === null ? null : el("span", { class: "muted" }, `confidence ${answer.confidence.toFixed(2)}`);
    this.said.replaceChildren(el("strong", {}, `${choice}${answer.text || "(no answer)"}`), sure ?? "");
    show(this.said);
    this.list();
    this.ledger(answer.ledger);
    if (this.small) return;
    this.actions.replaceChildren(
      button("Compare modes", () => this.say("compare"), { class: "quiet", title: "The same question directly and with experts, side by side", "aria-label": "Compare direct and deliberate" }),
      button("↓ Trace", () => this.say("trace"), { class: "quiet", title: "Download every step as JSON", "aria-label": "Download the trace" }),
      button("↓ Evidence picture", () => this.say("picture"), { class: "quiet", title: "Download the picture with its evidence", "aria-label": "Download the evidence picture" }));
    show(this.actions);
  }

  failed(line) {
    this.live.textContent = "";
    for (const row of this.runs.querySelectorAll(".running")) row.className = "failed";
    this.said.replaceChildren(el("span", { class: "wrong" }, line));
    show(this.said);
  }

  left() {
    return this.regions.filter((region) => !region.deleted);
  }

  list() {
    const numbered = this.left().filter((region) => region.number).sort((a, b) => a.number - b.number);
    const rest = this.left().filter((region) => !region.number);
    this.rows.replaceChildren(...numbered.map((region) => this.row(region)));
    if (!numbered.length) this.rows.append(el("li", { class: "none muted" }, this.answer.evidence.length ? "All evidence was deleted." : "The answer names no evidence."));
    const open = this.others.open;
    this.others.replaceChildren(el("summary", {}, `${count(rest.length, "other region")} the experts found`),
      el("ol", {}, ...rest.slice(0, 400).map((region) => this.row(region))));
    this.others.open = open;
    show(this.others, rest.length > 0 && !this.small);
  }

  row(region) {
    const number = el("span", { class: "number" }, region.number ? String(region.number) : "");
    if (region.number) number.style.setProperty("--colour", colourOf(region.number));
    const from = [region.source, region.score < 1 ? region.score.toFixed(2) : ""].filter(Boolean).join(" ");
    const main = el("button", { type: "button", class: "pick", on: { click: () => this.say("pick", { id: region.id }) } },
      number, el("span", { class: "words" }, wordsOf(region)), el("small", { class: "muted" }, region.changed ? `${from} · changed` : from));
    const row = el("li", { class: "row-of", on: {
      pointerenter: () => this.say("hover", { id: region.id }), pointerleave: () => this.say("hover", { id: null }),
      focusin: () => this.say("hover", { id: region.id }), focusout: () => this.say("hover", { id: null }),
    } }, main);
    row.dataset.id = region.id;
    if (!this.small) {
      row.append(
        button("✎", () => this.edit(region, row), { class: "icon", "aria-label": `Correct the words of ${wordsOf(region)}`, title: "Correct the words" }),
        button("×", () => this.remove(region.id), { class: "icon", "aria-label": `Delete the region ${wordsOf(region)}`, title: "Delete: it is wrong" }));
    }
    return row;
  }

  /** Correcting what an expert read or called a thing. */
  edit(region, row) {
    const field = region.text === null || region.text === undefined ? "label" : "text";
    const input = el("input", { type: "text", value: wordsOf(region), maxLength: MOST[field], "aria-label": "What it says" });
    const end = (keep) => {
      const words = input.value.trim();
      if (keep && words && words !== wordsOf(region)) {
        region[field] = words;
        this.changed(region.id);
      } else this.list();
      this.rows.querySelector(`[data-id="${region.id}"] .pick`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") end(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    row.replaceChildren(input, button("Keep", () => end(true)), button("Leave", () => end(false), { class: "quiet" }));
    input.select();
  }

  remove(id) {
    const region = this.regions.find((one) => one.id === id);
    if (!region || region.deleted || this.small || !this.answer) return;
    const rows = [...this.root.querySelectorAll(".row-of")];
    const at = rows.findIndex((row) => row.dataset.id === id);
    const next = (rows[at + 1] ?? rows[at - 1])?.dataset.id;
    region.deleted = true;
    this.changed(null);
    this.root.querySelector(next ? `.row-of[data-id="${next}"] .pick` : ".again button")?.focus({ preventScroll: true });
  }

  /** A region was moved, corrected or deleted: the answer no longer rests on what is shown. */
  changed(id) {
    const region = this.regions.find((one) => one.id === id);
    if (region) region.changed = true;
    this.edited = true;
    this.list();
    this.again.replaceChildren(
      el("p", {}, `The evidence was corrected; ${count(this.left().length, "region")} left.`),
      button("Answer again from these", () => this.say("again"), { class: "primary" }),
      button("Undo", () => this.say("undo"), { class: "quiet" }));
    show(this.again);
    this.say("edit");
  }

  /** As the experts gave it. */
  undo() {
    const before = this.original();
    this.regions = before;
    this.edited = false;
    show(this.again, false);
    this.done(this.reply);
    this.say("edit");
  }

  original() {
    const given = (this.asked.regions ?? []).map((region, index) => ({ ...region, id: String(index) }));
    const found = this.reply.answer.trace.filter((step) => step.kind === "experts").flatMap((step) => step.data.results).flatMap((result) => result.regions);
    return [...given, ...found.map((region, index) => ({ ...region, id: String(given.length + index) }))];
  }

  ledger({ usage, experts, ms }) {
    const rows = [
      ["controller calls", usage.controller_calls], ["prompt tokens", usage.prompt_tokens], ["of them visual", usage.visual_tokens],
      ["of them cached", usage.cached_tokens], ["generated tokens", usage.generated_tokens],
      ...experts.map((cost) => [cost.expert, cost.error ? "failed" : `${count(cost.regions, "region")}, ${cost.cached ? "cached" : seconds(cost.ms)}`]),
      ...Object.entries(ms).filter(([, spent]) => spent >= 1).map(([name, spent]) => [name === "total" ? "time in all" : `time to ${name}`, seconds(spent)]),
    ];
    const calls = count(experts.length, "expert call");
    this.cost.replaceChildren(
      el("summary", {}, `Ledger: ${calls}, ${usage.prompt_tokens + usage.generated_tokens} tokens, ${seconds(ms.total ?? 0)}`),
      el("table", {}, el("tbody", {}, ...rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, String(value)))))));
    show(this.cost);
  }
}
