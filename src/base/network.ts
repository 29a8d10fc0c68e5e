import { WeirError } from './errors.ts';

/** Whether network access is off: `WEIR_OFFLINE` is set to anything other than `0` or an empty string. */
export function isOffline(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const said = environment.WEIR_OFFLINE ?? '';
  return said !== '' && said !== '0';
}

/** Call this before any network access. @param what a sentence about the missing item. @throws WeirError `offline` */
export function refuseOffline(what: string): void {
  if (!isOffline()) return;
  throw new WeirError('offline', `${what}, but this run is offline`, { hint: 'run once with network access' });
}
