import {
  createClient,
  type Evacuation,
  type EvacuationRequest,
  type SojournClient,
} from "../../client/index.ts";
import { asSojournError, ExitCode, SojournError } from "../../platform/errors.ts";
import { catchInterruption } from "../migrate/interruption.ts";
import type { Output } from "../output.ts";
import { describeEvacuation, describePlan } from "./describe.ts";
import { followEvacuation } from "./follow.ts";
import { exitCodeOf, isOverBudget } from "./outcome.ts";
import { createView } from "./view.ts";

/** An evacuation that is asked for, and what this command is to it. */
export interface WantedEvacuation {
  host: string;
  request: EvacuationRequest;
  /** It is cancelled, with what is under way, when this command is interrupted. */
  abortOnExit: boolean;
}

const postCopyRisk =
  "with --post-copy a guest is lost if its destination, or the link to it for good, fails after its switchover and before all of its memory has arrived";

/** `evacuate --dry-run`: who would go where, and in which order. Exit code 3 when not all can. */
export async function printPlan(
  { host, request }: WantedEvacuation,
  output: Output,
): Promise<void> {
  const plan = await createClient().planEvacuation(host, request);
  warnOfPostCopy(request, output);
  output.result(plan, () => describePlan(plan));
  if (plan.guests.some(({ error }) => error !== null)) process.exitCode = ExitCode.precondition;
}

/** `evacuate --detach`: begins it and prints the id. */
export async function startDetached(
  { host, request }: WantedEvacuation,
  output: Output,
): Promise<void> {
  warnOfPostCopy(request, output);
  const begun = await createClient().startEvacuation(host, request);
  output.result({ ...begun, type: "started" }, () => begun.id);
}

/**
 * `evacuate`: begins it, follows it and prints how it ended; sets the exit code by the guest with the worst end.
 * @throws SojournError before anything was changed (exit code 3), or `SOJ_DETACHED` when it was interrupted.
 */
export async function runEvacuation(wanted: WantedEvacuation, output: Output): Promise<void> {
  const { host, request, abortOnExit } = wanted;
  using interruption = catchInterruption(abortOnExit);
  const client = createClient();
  warnOfPostCopy(request, output);
  const begun = await client.startEvacuation(host, request);
  const view = createView(output);
  output.line(`evacuation ${begun.id}: ${host} to ${begun.to.join(", ")}`);
  const say = (text: string) => {
    view.close();
    output.line(text);
  };
  using ending = cancelOn(abortOnExit ? interruption.signal : null, client, begun.id, say);
  const signal = ending?.never ?? interruption.signal;
  const ended = await followEvacuation(client, begun.id, view, signal);
  if (ended === null) throw detached(begun);
  await printEnd(client, ended, output, request.max_outage_ms);
}

/** `evacuation watch`: the same of one that others have begun. */
export async function watchEvacuation(id: string, output: Output): Promise<void> {
  using interruption = catchInterruption();
  const client = createClient();
  const first = await client.getEvacuation(id);
  const ended = await followEvacuation(client, id, createView(output), interruption.signal);
  if (ended === null) throw detached(first);
  await printEnd(client, ended, output);
}

async function printEnd(
  client: SojournClient,
  ended: Evacuation,
  output: Output,
  budgetMs = ended.max_outage_ms,
): Promise<void> {
  for (const warning of await warningsOf(client, ended, budgetMs)) output.warning(warning);
  const note = output.json ? [] : await maintenanceNote(client, ended.host);
  output.result(ended, () => [describeEvacuation(ended), ...note].join("\n"));
  process.exitCode = exitCodeOf(ended, budgetMs);
}

function warnOfPostCopy(request: EvacuationRequest, output: Output): void {
  if (request.post_copy) output.warning(postCopyRisk);
}

async function maintenanceNote(client: SojournClient, host: string): Promise<string[]> {
  const summary = await client.showHost(host).catch(() => null);
  return summary?.maintenance
    ? [
        `${host} stays in maintenance until, on ${host}: sojourn maintenance off; sojourn maintenance show tells whose traffic still passes it`,
      ]
    : [];
}

/** What the reader should know before the host is switched off. */
async function warningsOf(
  client: SojournClient,
  { host, guests }: Evacuation,
  budgetMs: number | undefined,
): Promise<string[]> {
  const slow = guests
    .filter((guest) => budgetMs !== undefined && isOverBudget(guest, budgetMs))
    .map(
      ({ guest, blackout_ms }) =>
        `${guest} stood for ${blackout_ms?.toFixed(1)} ms, longer than the budget of ${budgetMs} ms`,
    );
  try {
    const here = await client.showMaintenance();
    if (here.host !== host || here.home_of.length === 0) return slow;
    const names = here.home_of.slice(0, 10).join(", ");
    const more = here.home_of.length > 10 ? ` and ${here.home_of.length - 10} more` : "";
    return [
      ...slow,
      `${host} is still the home of ${names}${more}: their traffic passes it, and they are cut off while it is switched off`,
    ];
  } catch {
    // It only informs.
    return slow;
  }
}

/** Cancels it when `interrupted` fires; it is then followed to its end, with the signal `never`. */
function cancelOn(
  interrupted: AbortSignal | null,
  client: SojournClient,
  id: string,
  say: (text: string) => void,
): (Disposable & { never: AbortSignal }) | null {
  if (interrupted === null) return null;
  const cancel = () => {
    say(`interrupted: evacuation ${id} is cancelled, with what is under way`);
    client
      .cancelEvacuation(id, { running: true })
      .catch((error: unknown) => say(asSojournError(error).message));
  };
  if (interrupted.aborted) cancel();
  else interrupted.addEventListener("abort", cancel, { once: true });
  return {
    never: new AbortController().signal,
    [Symbol.dispose]: () => interrupted.removeEventListener("abort", cancel),
  };
}

/** The CLI stops looking; the daemon goes on. There is no outcome to report. */
function detached({ id }: Evacuation): SojournError {
  return new SojournError("SOJ_DETACHED", `evacuation ${id} goes on without this command`, {
    ...{ retryable: true, exitCode: ExitCode.internal, guestState: "unknown" },
    hint: `sojourn evacuation watch ${id} follows it; sojourn evacuation cancel ${id} leaves what has not begun, with --running it also takes back what has`,
  });
}
