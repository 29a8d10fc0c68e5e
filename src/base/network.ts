import { WeirError } from './errors.ts';

/** Whether nothing may be asked of the network: `WEIR_OFFLINE` is set, to anything but `0` and nothing. */
export function isOffline(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const said = environment.WEIR_OFFLINE ?? '';
  return said !== '' && said !== '0';
}

/** To be called before anything is asked of the network. @param what is missing, as a sentence. @throws WeirError `offline` */
export function refuseOffline(what: string): void {
  if (!isOffline()) return;
  throw new WeirError('offline', `${what}, and this run is offline`, { hint: 'run once with network access' });
}
