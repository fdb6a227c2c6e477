import { ExitCode, preconditionError, reasonOf, SojournError } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Destinations } from "./destinations.ts";
import type { JournalStep } from "./journal-record.ts";
import { migrationFacts, refuseNotLoaded } from "./migration-facts.ts";
import type { Migrations } from "./migrations.ts";
import type { Notices } from "./notices.ts";
import type { HostMigrationFacts } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";
import type { Resolution } from "./resolution.ts";
import { plannedSteps } from "./resolution-steps.ts";
import { type Keep, refusalOf } from "./resolution-verdict.ts";
import { answeredLate, resumeSource } from "./resumption.ts";
import { sentenceOfEnd } from "./sentence-of-end.ts";
import type { SourceContext } from "./source-context.ts";
import { askForFinalWord } from "./source-ending.ts";

interface Subject {
  guest: string;
  role: "source" | "destination";
  epoch: number;
  peer: string | null;
  /** Null when only a damaged journal says that something of it is left. */
  record: (GuestRecord & { migration: NonNullable<GuestRecord["migration"]> }) | null;
}

/** Decisions of operators about migrations whose other side cannot be asked. */
export class Resolutions {
  readonly #context: SourceContext;
  readonly #migrations: Migrations;
  readonly #destinations: Destinations;
  readonly #notices: Notices;
  readonly #lock = new AsyncLock();

  constructor(parts: {
    context: SourceContext;
    migrations: Migrations;
    destinations: Destinations;
    notices: Notices;
  }) {
    this.#context = parts.context;
    this.#migrations = parts.migrations;
    this.#destinations = parts.destinations;
    this.#notices = parts.notices;
  }

  /** Asks both sides; decides and changes nothing. @throws SojournError `SOJ_MIGRATION_UNKNOWN`. */
  async describe(id: string, keep: Keep): Promise<Resolution> {
    const subject = this.#subject(id);
    const { guest, role, peer, record } = subject;
    const here = await migrationFacts(this.#context, { id, guest });
    const { there, unreachable } = await this.#askPeer(id, subject);
    const isOpen = record !== null;
    const refusal = this.#migrations.isRunning(id)
      ? "it is under way: there is nothing to decide"
      : ((isOpen || here.held ? null : this.#end(id)) ??
        refusalOf({ keep, role, isOpen, here, there }));
    const host = this.#context.host.name;
    const other = peer ?? "the other host";
    return {
      ...{ type: "resolution", id, guest, keep, role },
      here: { host, ...here },
      there: there === null ? null : { host: other, ...there },
      ...{ unreachable, refusal },
      steps:
        refusal !== null
          ? []
          : plannedSteps({
              ...{ keep, role, isOpen, guest, host, other, isReachable: there !== null },
              isGone: here.run_state === "none",
              isPostCopy: [here, there].some((facts) => hasStep(facts, "post-copy")),
            }),
    };
  }

  /**
   * Carries a decision out: in writing first, so that a restart goes on with it. Ends when it is written; what follows
   * is the migration's own end.
   * @throws SojournError `SOJ_RESOLVE_REFUSED` (exit code 3) with the facts; nothing is changed then.
   */
  async decide(id: string, keep: Keep): Promise<Resolution> {
    using _held = await this.#lock.acquire();
    await this.#migrations.suspend(id);
    try {
      const resolution = await this.describe(id, keep);
      if (resolution.refusal !== null) throw refused(resolution, resolution.refusal);
      const subject = this.#subject(id);
      const { guest, role, record } = subject;
      this.#context.logger.warn({ migration: id, guest, keep, role }, "an operator decides");
      if (record === null) {
        this.#write(id, keep, subject);
        const { here, there } = resolution;
        const source = role === "source" ? here : there;
        this.#migrations.conclude(id, keep, source?.run_state ?? "unknown");
      } else if (role === "source") await this.#atSource(id, keep, subject, record, resolution);
      else await this.#atDestination(id, keep, subject, record);
      return resolution;
    } finally {
      this.#migrations.askAgain(id);
    }
  }

  async #atSource(
    id: string,
    keep: Keep,
    subject: Subject,
    record: GuestRecord,
    resolution: Resolution,
  ): Promise<void> {
    const { journal } = this.#context;
    const word = resolution.there === null ? null : await this.#finalWord(id, subject, resolution);
    if (word !== null) {
      const agreed = (word === "taken-over") === (keep === "destination");
      if (agreed && journal.isHeld(subject.guest)) this.#write(id, keep, subject);
      if (agreed || !journal.isHeld(subject.guest)) {
        resumeSource(this.#context, this.#migrations, record, answeredLate);
      }
      if (!agreed) throw refused(resolution, `the destination answers: ${word}`);
    } else {
      this.#write(id, keep, subject);
      resumeSource(this.#context, this.#migrations, record);
    }
    this.#notices.tell();
  }

  async #atDestination(
    id: string,
    keep: Keep,
    subject: Subject,
    record: NonNullable<Subject["record"]>,
  ): Promise<void> {
    const { guest, epoch } = subject;
    const { journal } = this.#context;
    if (keep === "destination" && !journal.has(id, "takeover")) {
      await refuseNotLoaded(this.#context, guest);
      journal.append({ step: "takeover", migration: id, guest, epoch, role: "destination" });
    }
    if (keep === "source" && journal.has(id, "takeover") && !journal.has(id, "superseded")) {
      throw refused(
        { id, guest, keep },
        "the destination has just taken the guest over, in writing",
      );
    }
    this.#write(id, keep, subject);
    await this.#destinations.goOn(record);
    if (this.#context.records.get(guest)?.migration?.id !== id) return;
    throw new SojournError(
      "SOJ_RESOLVE_UNFINISHED",
      `the decision about ${guest} is written, not done`,
      {
        migration: id,
        hint: "see the daemon's log; its next start goes on with it",
      },
    );
  }

  /** A decision that was written before stands. */
  #write(id: string, keep: Keep, { guest, role, epoch, peer, record }: Subject): void {
    const { journal } = this.#context;
    const step: JournalStep = `resolved-${keep}`;
    const isNewer = role === "source" && keep === "source";
    if (!journal.has(id, step)) {
      journal.append({
        ...{ step, migration: id, guest, role, epoch: isNewer ? epoch + 1 : epoch },
        ...(record === null || peer === null ? {} : { peer }),
      });
    }
    journal.release(guest);
  }

  /**
   * Null when the destination refuses to say. @throws SojournError `SOJ_RESOLVE_REFUSED` when it answers other
   * questions but not this one: it may be taking the guest over just now.
   */
  async #finalWord(
    id: string,
    { guest, epoch, peer }: Subject,
    resolution: Resolution,
  ): Promise<string | null> {
    const instance = this.#context.guests.instance(guest);
    const task = { id, guest, epoch, to: peer ?? "" };
    try {
      return (await askForFinalWord(this.#context, task, instance)).state;
    } catch (error) {
      this.#context.logger.warn({ migration: id, err: error }, "no final word");
      if (isRefusal(error)) return null;
      const reason = `${peer} answers, but does not say whether it runs it; ask again, or cut it off first`;
      throw refused(resolution, reason);
    }
  }

  async #askPeer(id: string, { guest, peer }: Subject) {
    if (peer === null) return { there: null, unreachable: "which host that was is not known here" };
    try {
      const options = { timeoutMs: 5_000 };
      const there = await this.#context.peer(peer).call("migration-facts", { id, guest }, options);
      return { there, unreachable: null };
    } catch (error) {
      return { there: null, unreachable: reasonOf(error) };
    }
  }

  #subject(id: string): Subject {
    const { journal, records, host } = this.#context;
    const record = records.all().find(({ migration }) => migration?.id === id);
    if (record?.migration) {
      const { role, epoch, peer } = record.migration;
      const { guest } = record;
      return { guest, role, epoch, peer, record: { ...record, migration: record.migration } };
    }
    const last = journal.recordsOf(id).at(-1);
    if (last === undefined) {
      const { from } = this.#migrations.get(id);
      throw preconditionError(
        "SOJ_RESOLVE_ELSEWHERE",
        `migration ${id} is not one of ${host.name}`,
        {
          migration: id,
          hint: `on ${from}: sojourn resolve ${id}`,
        },
      );
    }
    const { guest, role, epoch, peer = this.#otherHost(id, role) } = last;
    return { guest, role, epoch, peer, record: null };
  }

  /** As the history has it. */
  #otherHost(id: string, role: Subject["role"]): string | null {
    if (!this.#migrations.has(id)) return null;
    const { from, to } = this.#migrations.get(id);
    return role === "source" ? to : from;
  }

  /** What the history says of a migration that has ended; null when it does not know, or says that it is in doubt. */
  #end(id: string): string | null {
    return this.#migrations.has(id) ? sentenceOfEnd(this.#migrations.get(id)) : null;
  }
}

function hasStep(facts: HostMigrationFacts | null, wanted: JournalStep): boolean {
  return facts?.journal.some(({ step }) => step === wanted) ?? false;
}

/** The peer has understood the question and will not answer it later either. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof SojournError)) return false;
  return !error.retryable && error.exitCode === ExitCode.precondition;
}

function refused(
  { id, guest, keep }: Pick<Resolution, "id" | "guest" | "keep">,
  reason: string,
): SojournError {
  return preconditionError(
    "SOJ_RESOLVE_REFUSED",
    `${guest} is not kept at the ${keep}: ${reason}`,
    {
      migration: id,
      hint: `sojourn resolve ${id} --keep ${keep} --dry-run shows what both sides know`,
    },
  );
}
