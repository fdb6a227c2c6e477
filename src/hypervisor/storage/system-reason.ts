/** The system's word for what went wrong (errno(3)), else the error's own. */
export function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `${code ?? message}`.slice(0, 200);
}
