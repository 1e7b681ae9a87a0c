import type { Setting, SettingValue } from '../../shared/api/objects';
import { t } from '../../shared/language/translate.svelte';

/** What the control shows: the wish while the device has not taken it, else what the device has or does unasked. */
export const shownValue = (setting: Setting): SettingValue =>
  setting.state === 'waiting' ? (setting.wished ?? setting.value) : (setting.value ?? setting.wished ?? setting.default);

/** What was typed as the setting's type; nothing while it is not one. */
export function parseSetting(setting: Setting, text: string): SettingValue | undefined {
  if (setting.type === 'text') return text;
  const number = Number(text.replace(',', '.'));
  if (text.trim() === '' || !Number.isFinite(number)) return undefined;
  if (setting.type === 'integer' && !Number.isInteger(number)) return undefined;
  return number;
}

/** A value in the person's words. */
export function wordFor(setting: Setting, value: SettingValue): string {
  if (value === null) return '';
  if (typeof value === 'boolean') return t(value ? 'settings.on' : 'settings.off');
  return setting.choices.find((choice) => choice.value === value)?.label ?? String(value);
}
