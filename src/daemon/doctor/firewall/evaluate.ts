import type { Answer, Chain, Condition, Hook, Packet, Rule, RuleTable, Verdict } from "./packet.ts";

/** A place at which a packet ends. */
export interface Drop {
  /** The base chain that it began in, which is where a rule has to be put to let it pass. */
  chain: Chain;
  /** The rule or policy, as an operator finds it. */
  place: string;
  /** False when it depends on what cannot be told from the rules alone. */
  certain: boolean;
}

/** Jumps deeper than the kernel allows (NFT_JUMP_STACK_SIZE) are not followed. */
const deepestJump = 16;

/** All places in `hooks` that end the packet: each base chain is asked, since a pass in one says nothing of the others. */
export function dropsOf(
  tables: readonly RuleTable[],
  packet: Packet,
  hooks: readonly Hook[],
): Drop[] {
  return hooks.flatMap((hook) =>
    tables.flatMap((table) =>
      [...table.chains.values()].flatMap((chain) => {
        if (chain.base?.hook !== hook || !isOnDevice(chain, packet)) return [];
        return askBaseChain(table, chain, packet) ?? [];
      }),
    ),
  );
}

function isOnDevice({ base }: Chain, packet: Packet): boolean {
  return base?.device == null || base.device === packet.inputDevice;
}

type End = "accept" | "drop" | "return";

/** How a walk through rules ends for certain, and what it may have met before that. */
interface Walk {
  end: { kind: End; place: string } | null;
  mayAccept: boolean;
  mayDropAt: string | null;
}

/** One packet's way through one table's chains. */
interface Question {
  table: RuleTable;
  packet: Packet;
  /** Rules that may still be looked at: chains that jump to one another can have more ways than there is time. */
  rulesLeft: number;
}

const mostRules = 200_000;

function askBaseChain(table: RuleTable, chain: Chain, packet: Packet): Drop | null {
  const question = { table, packet, rulesLeft: mostRules };
  const walk = walkChain(question, chain, 0);
  const policy = chain.base?.policy ?? "accept";
  const kind = walk.end === null || walk.end.kind === "return" ? policy : walk.end.kind;
  const place = walk.end?.kind === "drop" ? walk.end.place : `the policy of ${chain.name}`;
  const certain = !walk.mayAccept && question.rulesLeft > 0;
  if (kind === "drop") return { chain, place, certain };
  if (walk.mayDropAt === null) return null;
  return { chain, place: walk.mayDropAt, certain: false };
}

function walkChain(question: Question, chain: Chain, depth: number): Walk {
  const walk: Walk = { end: null, mayAccept: false, mayDropAt: null };
  for (const rule of chain.rules) {
    question.rulesLeft -= 1;
    if (question.rulesLeft <= 0) break;
    if (rule.verdict === null) continue;
    const answer = holds(rule, question.packet);
    if (answer === false) continue;
    follow(question, walk, { verdict: rule.verdict, place: rule.place, sure: answer }, depth);
    if (walk.end !== null) break;
  }
  return walk;
}

interface Step {
  verdict: Verdict;
  place: string;
  /** Whether the packet gets the verdict for certain. */
  sure: true | null;
}

function follow(question: Question, walk: Walk, step: Step, depth: number): void {
  const { verdict, place, sure } = step;
  if (verdict.kind === "map") followMap(question, walk, verdict.entries, step, depth);
  else if (verdict.kind === "jump" || verdict.kind === "goto") {
    const target = question.table.chains.get(verdict.chain);
    if (target === undefined || depth >= deepestJump) return;
    const inner = walkChain(question, target, depth + 1);
    walk.mayAccept ||= inner.mayAccept;
    walk.mayDropAt ??= inner.mayDropAt;
    const end = inner.end?.kind === "return" ? null : inner.end;
    if (end !== null) note(walk, end.kind, end.place, sure === true && !inner.mayAccept);
    else if (verdict.kind === "goto" && sure) walk.end = { kind: "return", place };
  } else note(walk, verdict.kind, place, sure === true);
}

function followMap(
  question: Question,
  walk: Walk,
  entries: readonly { condition: Condition; verdict: Verdict }[],
  { place, sure }: Step,
  depth: number,
): void {
  for (const { condition, verdict } of entries) {
    const answer = condition(question.packet);
    if (answer === false) continue;
    follow(question, walk, { verdict, place, sure: sure && answer }, depth);
    if (answer === true) return;
  }
}

function note(walk: Walk, kind: End, place: string, sure: boolean): void {
  if (sure) {
    walk.end = { kind, place };
  } else if (kind === "accept" || kind === "return") {
    walk.mayAccept = true;
  } else {
    walk.mayDropAt ??= place;
  }
}

function holds(rule: Rule, packet: Packet): Answer {
  let answer: Answer = true;
  for (const condition of rule.conditions) {
    const one = condition(packet);
    if (one === false) return false;
    if (one === null) answer = null;
  }
  return answer;
}
