-- Compliance: what a required value says. Three answers: fine, not fine, cannot tell; the last one is for a person.

-- The month that a word names in English, German, French, Spanish, Italian, Dutch or Portuguese; NULL for another word.
CREATE OR REPLACE FUNCTION month_named(p_word text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT m.month FROM (VALUES
        (1, '{jan, january, januar, jän, jänner, janvier, janv, enero, ene, gennaio, gen, januari, janeiro}'::text[]),
        (2, '{feb, february, februar, feber, février, fevrier, févr, fevr, febrero, febbraio, februari, fevereiro, fev}'),
        (3, '{mar, march, märz, maerz, mär, mrz, mars, marzo, maart, mrt, março, marco}'),
        (4, '{apr, april, avril, avr, abril, abr, aprile}'),
        (5, '{may, mai, mayo, maggio, mag, mei, maio}'),
        (6, '{jun, june, juni, juin, junio, giugno, giu, junho}'),
        (7, '{jul, july, juli, juillet, juil, julio, luglio, lug, julho}'),
        (8, '{aug, august, août, aout, agosto, ago, augustus}'),
        (9, '{sep, sept, september, septembre, septiembre, setiembre, settembre, set, sett, setembro}'),
        (10, '{oct, october, okt, oktober, octobre, octubre, ottobre, ott, outubro, out}'),
        (11, '{nov, november, novembre, noviembre, novembro}'),
        (12, '{dec, december, dez, dezember, déc, décembre, decembre, dic, diciembre, dicembre, dezembro}')
    ) AS m (month, words)
    WHERE p_word = ANY (m.words)
$$;

-- The day that three written numbers name, or NULL. Two digits are a year from 1970 to 2069, as in PostgreSQL's own YY.
CREATE OR REPLACE FUNCTION date_of(p_year text, p_month text, p_day text) RETURNS date
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_year integer := p_year::integer;
    v_month constant integer := p_month::integer;
    v_day constant integer := p_day::integer;
BEGIN
    IF length(p_year) = 2 THEN
        v_year := v_year + CASE WHEN v_year < 70 THEN 2000 ELSE 1900 END;
    END IF;
    IF v_year NOT BETWEEN 1900 AND 2199 OR v_month NOT BETWEEN 1 AND 12 OR v_day NOT BETWEEN 1 AND 31 THEN
        RETURN NULL;
    ELSIF v_day > extract(day FROM make_date(v_year, v_month, 1) + interval '1 month - 1 day') THEN
        RETURN NULL;
    END IF;
    RETURN make_date(v_year, v_month, v_day);
END
$$;

-- In which order a locale writes day, month and year; NULL where nobody can tell: English without a country, Canada.
CREATE OR REPLACE FUNCTION date_order(p_locale text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN p_locale ~* '[-_](US|PH|PR|GU)$' THEN 'mdy'
        WHEN p_locale ~* '[-_](CA|ZA)$' THEN NULL
        WHEN p_locale ~* '^en[-_](GB|IE|AU|NZ|IN|SG|MY|HK|MT|150)$' THEN 'dmy'
        WHEN p_locale ~* '^(zh|ja|ko|hu|lt|mn)([-_]|$)' THEN 'ymd'
        WHEN p_locale ~* '^(de|fr|es|it|nl|pt|da|nb|nn|no|fi|pl|cs|sk|sl|hr|sr|ro|bg|el|tr|ru|uk)([-_]|$)' THEN 'dmy'
    END
$$;

-- Every day that a text can mean, the first and the last one of a month or year that is named alone; none where it is no
-- date. Of the orders of day and month the locale's counts, or the only one that there is such a day in.
-- p_zone: where an instant ("2026-03-10T23:00:00Z") has its day.
CREATE OR REPLACE FUNCTION possible_dates(p_text text, p_locale text, p_zone text) RETURNS date[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_order text := date_order(p_locale);
    v_text text := lower(btrim(regexp_replace(translate(p_text, E'\u00a0\u202f', '  '), '\s+', ' ', 'g')));
    v_numbers text[];
    v_words text[];
    v_first date;
    v_parts text[];
    v_dmy date;
    v_mdy date;
    v_ymd date;
    v_found date[];
BEGIN
    IF v_text ~ '^\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d([.]\d+)?)? ?(z|[+-]\d\d(:?\d\d)?)$' THEN
        RETURN ARRAY[(upper(v_text)::timestamptz AT TIME ZONE p_zone)::date];
    END IF;
    v_text := regexp_replace(v_text, '[t, ]+\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[ap]\.?m\.?| uhr| h)?$', '');
    v_text := regexp_replace(v_text, '^(valid )?(until|till|to|through) |^(gültig )?bis (zum )?|^jusqu''au |^hasta (el )?|^fino al |^tot |^até ', '');
    v_numbers := ARRAY(SELECT m[1] FROM regexp_matches(v_text, '\d+', 'g') AS m);

    IF v_text ~ '^\d{4}$' THEN
        v_found := ARRAY[date_of(v_text, '1', '1'), date_of(v_text, '12', '31')];
    ELSIF v_text ~ '^\d{5}([.,]0+)?$' AND v_numbers[1]::integer BETWEEN 20000 AND 80000 THEN
        v_found := ARRAY[date '1899-12-30' + v_numbers[1]::integer];  -- the days that spreadsheets count
    ELSIF v_text ~ '^\d{8}$' THEN
        v_parts := ARRAY[substr(v_text, 1, 2), substr(v_text, 3, 2), substr(v_text, 5, 4)];
        v_found := ARRAY[date_of(substr(v_text, 1, 4), substr(v_text, 5, 2), substr(v_text, 7, 2)),
                         date_of(v_parts[3], v_parts[2], v_parts[1]), date_of(v_parts[3], v_parts[1], v_parts[2])];
    ELSIF v_text ~ '^(\d{1,2}[./-]\d{4}|\d{4}[./-]\d{1,2})$' THEN
        v_first := CASE WHEN length(v_numbers[1]) = 4 THEN date_of(v_numbers[1], v_numbers[2], '1')
                        ELSE date_of(v_numbers[2], v_numbers[1], '1') END;
        v_found := ARRAY[v_first, (v_first + interval '1 month - 1 day')::date];
    ELSIF v_text ~ '^\d{4} ?([./ -]) ?\d{1,2} ?\1 ?\d{1,2}\.?$' THEN
        v_found := ARRAY[date_of(v_numbers[1], v_numbers[2], v_numbers[3])];
    ELSIF v_text ~ '^\d{1,2} ?([./ -]) ?\d{1,2} ?\1 ?(\d{2}|\d{4})\.?$' THEN
        v_dmy := date_of(v_numbers[3], v_numbers[2], v_numbers[1]);
        v_mdy := date_of(v_numbers[3], v_numbers[1], v_numbers[2]);
        v_ymd := CASE WHEN length(v_numbers[3]) = 2 AND length(v_numbers[1]) = 2
                      THEN date_of(v_numbers[1], v_numbers[2], v_numbers[3]) END;
        -- With points the day comes first; only who writes the month first without them may do so with them.
        IF strpos(v_text, '.') > 0 AND v_order = 'mdy' THEN
            v_order := NULL;
        ELSIF strpos(v_text, '.') > 0 AND v_dmy IS NOT NULL THEN
            v_mdy := NULL;
        END IF;
        v_found := ARRAY[CASE v_order WHEN 'dmy' THEN v_dmy WHEN 'mdy' THEN v_mdy WHEN 'ymd' THEN v_ymd END];
        IF v_found = ARRAY[NULL::date] THEN
            v_found := ARRAY[v_dmy, v_mdy, v_ymd];
        END IF;
    ELSIF v_text ~ '^[[:alnum:] .,/''’ºª°-]+$' THEN
        v_words := ARRAY(
            SELECT m[1] FROM regexp_matches(v_text, '[[:alpha:]]+', 'g') AS m
            WHERE m[1] <> ALL ('{st, nd, rd, th, er, of, the, de, del, den, der, le, el, il, º, ª}'));
        IF cardinality(v_words) = 1 AND month_named(v_words[1]) IS NOT NULL THEN
            IF cardinality(v_numbers) = 1 AND length(v_numbers[1]) = 4 THEN
                v_first := date_of(v_numbers[1], month_named(v_words[1])::text, '1');
                v_found := ARRAY[v_first, (v_first + interval '1 month - 1 day')::date];
            ELSIF cardinality(v_numbers) = 2 AND length(v_numbers[1]) = 4 AND length(v_numbers[2]) <= 2 THEN
                v_found := ARRAY[date_of(v_numbers[1], month_named(v_words[1])::text, v_numbers[2])];
            ELSIF cardinality(v_numbers) = 2 AND length(v_numbers[1]) <= 2 AND length(v_numbers[2]) IN (2, 4) THEN
                v_found := ARRAY[date_of(v_numbers[2], month_named(v_words[1])::text, v_numbers[1])];
            END IF;
        END IF;
    END IF;
    RETURN ARRAY(SELECT DISTINCT f FROM unnest(v_found) AS f WHERE f IS NOT NULL ORDER BY f);
EXCEPTION WHEN data_exception THEN  -- an instant that no calendar has
    RETURN '{}';
END
$$;

-- What is wrong with the value of a required field; no fault where it is fine.
--   absent   nothing is there, or a word that says so ("n/a", "TBD", "-"), or no (false, an empty list)
--   lapsed   the last day it can mean is over
--   unclear  a date is asked for, and it is none, or whether it has passed depends on how it is read
-- A name tells what a field holds: insurance_valid_until and permitExpires the last day, audit_date any day.
CREATE OR REPLACE FUNCTION judge_compliance_value(
    p_field text, p_value jsonb, p_today date, p_zone text, p_locale text, OUT fault text, OUT reason text
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_value constant jsonb := CASE WHEN jsonb_typeof(p_value) = 'array' AND jsonb_array_length(p_value) = 1
                                   THEN p_value -> 0 ELSE p_value END;
    v_text constant text := btrim(translate(v_value #>> '{}', E'\u00a0\u202f\t\r\n', '     '));
    v_name constant text := folded_word(p_field);
    v_ends constant boolean := v_name ~ ('(valid(until|to|till|thru|through)|expir(es|ed|y|ation)(at|on|date)?|dateexpiration'
        || '|g(ü|ue)ltigbis|ablaufdatum|valablejusqu(a|à)?u?|v(a|á)lidohasta|vencimiento|caducidad|scadenza|validofinoal'
        || '|geldigtot|vervaldatum|validade|validoat(e|é))$');
    v_dates date[];
BEGIN
    IF v_text IS NULL OR v_text = '' OR v_value = 'null' THEN
        fault := 'absent';
    ELSIF v_value IN ('false', '[]', '{}') OR v_text !~ '[[:alnum:]]'
       OR lower(v_text) ~ ('^(#?n ?/ ?a|n\.a\.?|t\.?b\.?[acd]\.?|to be (announced|confirmed|determined|defined)|not (available|applicable'
           || '|provided|given|known)|none|null|nil|undefined|unknown|unbekannt|to ?do|k\.? ?a\.|keine angabe|nicht (vorhanden|bekannt)'
           || '|inconnu|desconocido|sconosciuto|onbekend|desconhecido)$')
    THEN
        fault := 'absent';
        reason := format('%s is given as "%s"', p_field, left(v_text, 40));
    ELSIF v_ends OR v_name ~ '(date|datum)$' OR p_field ~ '(_on|_at|[a-z]On|[a-z]At)$' THEN
        v_dates := CASE WHEN jsonb_typeof(v_value) IN ('string', 'number') THEN possible_dates(v_text, p_locale, p_zone) ELSE '{}' END;
        IF cardinality(v_dates) = 0 THEN
            fault := 'unclear';
            reason := format('%s: "%s" cannot be read as a date', p_field, left(v_text, 40));
        ELSIF v_ends AND v_dates[cardinality(v_dates)] < p_today THEN
            fault := 'lapsed';
            reason := format('%s lapsed on %s', p_field, v_dates[cardinality(v_dates)]);
        ELSIF v_ends AND v_dates[1] < p_today THEN
            fault := 'unclear';
            reason := format('%s: "%s" can mean any of %s', p_field, left(v_text, 40), array_to_string(v_dates, ', '));
        END IF;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION month_named(text), date_of(text, text, text), date_order(text), possible_dates(text, text, text),
    judge_compliance_value(text, jsonb, date, text, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION month_named(text), date_of(text, text, text), date_order(text), possible_dates(text, text, text),
    judge_compliance_value(text, jsonb, date, text, text) TO service_role;
