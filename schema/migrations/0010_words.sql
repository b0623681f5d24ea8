-- The CRM's words: what a stage or a status means, however it is spelled. What CRMs ship is known here; a tenant's own
-- words stand beside it and win. The index of open deals is built by shipped_meaning: who changes its words makes a
-- new migration that builds idx_deals_* again.

CREATE TABLE crm_words (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    kind       text NOT NULL,
    word       text NOT NULL CHECK (word <> ''),   -- folded, see folded_word
    meaning    text NOT NULL,
    decided_by text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, word),
    CHECK (kind = 'deal_stage' AND meaning IN ('open', 'won', 'lost')
        OR kind = 'order_status' AND meaning IN ('open', 'delivered', 'cancelled', 'returned')
        OR kind = 'case_status' AND meaning IN ('open', 'closed'))
);

-- Case, space and punctuation mean nothing: "Closed Won", closed_won and ClosedWon are one word. Inlined by PostgreSQL.
CREATE FUNCTION folded_word(p_word text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT translate(lower(p_word), E' \t_-./()[]:;,!?\'"&+\u00a0', '')
$$;

-- What a word means in the CRMs of this world (Salesforce, HubSpot, Pipedrive, Zoho, Odoo, Dynamics, EspoCRM, SuiteCRM,
-- Twenty) and in English, German, French, Spanish, Italian, Dutch and Portuguese; NULL: nobody knows.
CREATE FUNCTION shipped_meaning(p_kind text, p_word anyelement) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp
AS $$
DECLARE
    v_word constant text := folded_word(p_word::text);
BEGIN
    CASE p_kind
    WHEN 'deal_stage' THEN
        IF v_word = ANY ('{
            won, closedwon, dealwon, wonclosed, closewon, successful, success, gewonnen, abgeschlossengewonnen,
            geschlossengewonnen, auftragerteilt, auftrag, auftragerhalten, gagne, gagné, gagnee, gagnée, ferméegagnée,
            fermegagne, fermégagné, conclu, signe, signé, ganado, ganada, cerradoganado, cerradaganada, vinto, vinta,
            chiusovinto, chiusavinta, gewonnendeal, geslotengewonnen, ganho, ganha, fechadoganho, fechadaganha,
            orderreceived, orderwon, contractsigned, ordered}'::text[]) THEN
            RETURN 'won';
        ELSIF v_word = ANY ('{
            lost, closedlost, deallost, lostclosed, closelost, closedlosttocompetition, losttocompetition, closedother,
            cancelled, canceled, abandoned, dead, disqualified, unqualified, rejected, declined, outsold, outsolddeal,
            nodecision, verloren, abgeschlossenverloren, geschlossenverloren, abgelehnt, abgesagt, storniert,
            disqualifiziert, perdu, perdue, fermeperdu, ferméperdu, ferméeperdue, abandonne, abandonné, refuse, refusé,
            annule, annulé, perdido, perdida, cerradoperdido, cerradaperdida, rechazado, cancelado, perso, persa,
            chiusoperso, chiusapersa, annullato, rifiutato, geslotenverloren, afgewezen, geannuleerd, fechadoperdido,
            fechadaperdida, cancelada}'::text[]) THEN
            RETURN 'lost';
        ELSIF v_word = ANY ('{
            develop, propose, lead, newlead, leadin, leads, new, open, prospect, prospecting, prospects, qualified, qualification,
            qualify, qualifiedtobuy, needsanalysis, needanalysis, valueproposition, iddecisionmakers,
            identifydecisionmakers, decisionmakerboughtin, decisionmakersboughtin, perceptionanalysis, proposal,
            proposalpricequote, proposalquote, proposalmade, proposalsent, proposition, pipeline, negotiation,
            negotiations, negotiationreview, negotiationsstarted, negotiationstarted, negotiating, contractsent,
            contract, appointmentscheduled, appointment, meeting, meetingscheduled, meetingarranged,
            presentationscheduled, presentation, demo, demoscheduled, demodone, contactmade, contacted, screening,
            discovery, quote, quotesent, quoted, offer, offersent, inprogress, onhold, pending, evaluation,
            engaging, engaged, technicalevaluation, trial, poc, pilot, committed, bestcase, upside, verbalcommit, verbalagreement,
            procurement, working, nurturing, nurture, followup, interessent, neu, offen, qualifiziert, qualifizierung,
            bedarfsanalyse, angebot, angeboterstellt, angebotversendet, angebotabgegeben, angebotgesendet, verhandlung,
            inverhandlung, verhandlungen, vertragversendet, vertrag, terminvereinbart, kontaktaufgenommen, erstkontakt,
            inbearbeitung, entscheidung, präsentation, nouveau, nouvelle, ouvert, ouverte, qualifie, qualifié,
            qualifiée, analysedesbesoins, propositionenvoyée, devis, devisenvoyé, devisenvoye, négociation, negociation,
            rendezvous, rendezvousplanifié, encours, contratenvoyé, prospection, nuevo, nueva, abierto, abierta,
            calificado, cualificado, calificación, cualificación, propuesta, propuestaenviada, presupuesto,
            presupuestoenviado, cotización, cotizacion, negociación, enproceso, contratoenviado, reunión, nuovo, nuova,
            aperto, aperta, qualificato, qualificazione, proposta, propostainviata, preventivo, preventivoinviato,
            offerta, trattativa, negoziazione, incorso, contratto, nieuw, nieuwe, gekwalificeerd, kwalificatie,
            voorstel, voorstelverzonden, offerte, offerteverzonden, onderhandeling, inbehandeling, afspraak, novo, nova,
            aberto, aberta, qualificado, qualificação, qualificacao, propostaenviada, orçamento, orcamento, negociação,
            negociacao, emandamento, reunião}'::text[]) THEN
            RETURN 'open';
        END IF;
    WHEN 'order_status' THEN
        IF v_word = ANY ('{
            cancelled, canceled, cancel, cancelledbycustomer, canceledbycustomer, cancellationrequested,
            cancelrequested, void, voided, rejected, failed, declined, storniert, abgebrochen, annulliert, annulé,
            annule, annulée, annulee, cancelado, cancelada, anulado, anulada, annullato, annullata, geannuleerd}'::text[]) THEN
            RETURN 'cancelled';
        ELSIF v_word = ANY ('{
            returned, return, returns, returnrequested, returninprogress, returnpending, partiallyreturned,
            partialreturn, refunded, refund, refundrequested, refundpending, partiallyrefunded, partialrefund,
            chargeback, disputed, exchanged, replacementrequested, zurückgesendet, zurueckgesendet, retourniert,
            retoure, rückgabe, rueckgabe, erstattet, rückerstattet, teilweiseerstattet, retourné, retourne, retournée,
            remboursé, rembourse, remboursée, partiellementremboursé, devuelto, devuelta, reembolsado, reembolsada,
            reso, restituito, rimborsato, rimborsata, geretourneerd, retour, terugbetaald, devolvido, devolvida}'::text[]) THEN
            RETURN 'returned';
        ELSIF v_word = ANY ('{
            delivered, delivery, deliveredtocustomer, completed, complete, completedorder, fulfilled, fullyfulfilled,
            closed, done, received, installed, paid, invoiced, fullyinvoiced, picked, pickedup, collected, activated,
            geliefert, ausgeliefert, zugestellt, abgeschlossen, erledigt, abgeholt, bezahlt, livré, livre, livrée,
            livree, terminé, termine, terminée, entregado, entregada, completado, completada, finalizado, consegnato,
            consegnata, completato, evaso, geleverd, bezorgd, afgerond, voltooid, entregue, concluído, concluido,
            concluída}'::text[]) THEN
            RETURN 'delivered';
        ELSIF v_word = ANY ('{
            new, open, draft, pending, processing, inprogress, confirmed, approved, submitted, active, accepted,
            shipped, intransit, outfordelivery, partiallyshipped, partiallydelivered, partiallyfulfilled, onhold,
            backordered, sale, salesorder, neu, offen, inbearbeitung, bestätigt, bestaetigt, versandt, versendet,
            unterwegs, encours, confirmé, confirme, expédié, expedie, nuevo, abierto, enproceso, confirmado, enviado,
            nuovo, aperto, inlavorazione, confermato, spedito, nieuw, inbehandeling, bevestigd, verzonden, novo, aberto,
            emprocessamento}'::text[]) THEN
            RETURN 'open';
        END IF;
    WHEN 'case_status' THEN
        IF v_word = ANY ('{
            closed, resolved, solved, done, completed, complete, cancelled, canceled, rejected, duplicate, merged,
            invalid, wontfix, notabug, fixed, archived, closedresolved, closedunresolved, closedduplicate,
            informationprovided, problemsolved, answered, deflected, spam, geschlossen, gelöst, geloest, erledigt,
            abgeschlossen, beendet, behoben, abgelehnt, duplikat, storniert, fermé, ferme, fermée, résolu, resolu,
            résolue, clos, close, terminé, termine, rejeté, doublon, cerrado, cerrada, resuelto, resuelta, solucionado,
            completado, rechazado, duplicado, chiuso, chiusa, risolto, risolta, completato, rifiutato, gesloten,
            opgelost, afgehandeld, afgesloten, voltooid, fechado, fechada, resolvido, resolvida, concluído, concluido,
            rejeitado}'::text[]) THEN
            RETURN 'closed';
        ELSIF v_word = ANY ('{
            new, open, opened, reopened, assigned, inprogress, working, workinprogress, pending, pendinginput, onhold,
            waiting, waitingforcustomer, waitingforcontact, waitingonus, waitingoncontact, waitingforresponse,
            waitingfordetails, researching, escalated, active, unassigned, investigating, acknowledged, neu, offen,
            zugewiesen, inbearbeitung, wartend, wartetaufkunde, wartetaufantwort, eskaliert, wiedereröffnet, nouveau,
            ouvert, ouverte, encours, enattente, assigné, nuevo, abierto, abierta, enproceso, enespera, asignado,
            reabierto, nuovo, aperto, aperta, incorso, inattesa, assegnato, nieuw, inbehandeling, wachtend, toegewezen,
            heropend, novo, aberto, aberta, emandamento, pendente, aguardando}'::text[]) THEN
            RETURN 'open';
        END IF;
    ELSE
        RAISE EXCEPTION 'no kind of words %', p_kind USING ERRCODE = 'invalid_parameter_value';
    END CASE;
    RETURN NULL;
END
$$;

-- Whether a stage is one that every CRM counts as won or lost: such deals are in no index of the engine's work.
CREATE FUNCTION is_closed_stage(p_stage anyelement) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN coalesce(shipped_meaning('deal_stage', p_stage) IN ('won', 'lost'), false);
END
$$;

-- For everybody: PostgreSQL asks whoever writes a deal for the right to the functions of its indexes. They tell nothing.
GRANT EXECUTE ON FUNCTION folded_word(text), shipped_meaning(text, anyelement), is_closed_stage(anyelement) TO PUBLIC;
