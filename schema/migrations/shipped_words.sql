-- What the words of a CRM mean: its stages and statuses, in the one place where they are written down. The indexes of open
-- deals are built by it: who changes it makes a new migration that runs this file again and builds idx_deals_* again.

-- Case, space and punctuation mean nothing, nor how an accent or a dash is encoded: "Closed Won", closed_won and "Closed –
-- Won" are one word. Inlined by PostgreSQL.
CREATE OR REPLACE FUNCTION folded_word(p_word text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT translate(lower(normalize(p_word, NFKC)),
                     E' \t\n\r_-./\\|()[]{}<>:;,!?\'"&+*#%=\u2010\u2012\u2013\u2014\u2015\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u00b7\u2022', '')
$$;

-- What a word means in the CRMs of this world (Salesforce, HubSpot, Pipedrive, Zoho, Odoo, Dynamics, EspoCRM, SuiteCRM,
-- Twenty) and in English, German, French, Spanish, Italian, Dutch and Portuguese; NULL: nobody knows. A number before it
-- ("6 - Closed Won") only sorts.
CREATE OR REPLACE FUNCTION shipped_meaning(p_kind text, p_word anyelement) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp
AS $$
DECLARE
    v_word constant text := ltrim(folded_word(p_word::text), '0123456789');
BEGIN
    CASE p_kind
    WHEN 'deal_stage' THEN
        IF v_word = ANY ('{
            won, closedwon, dealwon, wonclosed, closewon, successful, success, gewonnen,
            abgeschlossengewonnen, geschlossengewonnen, auftragerteilt, auftrag, auftragerhalten, gagne,
            gagné, gagnee, gagnée, ferméegagnée, fermegagne, fermégagné, conclu, signe, signé, ganado,
            ganada, cerradoganado, cerradaganada, vinto, vinta, chiusovinto, chiusavinta, gewonnendeal,
            geslotengewonnen, ganho, ganha, fechadoganho, fechadaganha, orderreceived, orderwon,
            contractsigned, ordered, customer, geschlossenundgewonnen, abgeschlossenundgewonnen,
            clôturéegagnée, clôturégagné, ganadas, cierreganado, afgeslotengewonnen, fechadoeganho,
            negócioganho, affairegagnée, negocioganado, affarevinto, geschäftgewonnen, dealgewonnen,
            invoiced, paid, signed, vertragunterschrieben, firmado, firmato, getekend, assinado,
            gewonnengeschlossen, négociogagné, opportunitywon, negóciofechado, affareconcluso,
            opdrachtgewonnen, contratsigné, contratofirmado, contrattofirmato, contratoassinado,
            contractgetekend, auftraggewonnen, zuschlag}'::text[]) THEN
            RETURN 'won';
        ELSIF v_word = ANY ('{
            lost, closedlost, deallost, lostclosed, closelost, closedlosttocompetition, losttocompetition,
            closedother, cancelled, canceled, abandoned, dead, disqualified, unqualified, rejected,
            declined, outsold, outsolddeal, nodecision, verloren, abgeschlossenverloren,
            geschlossenverloren, abgelehnt, abgesagt, storniert, disqualifiziert, perdu, perdue,
            fermeperdu, ferméperdu, ferméeperdue, abandonne, abandonné, refuse, refusé, annule, annulé,
            perdido, perdida, cerradoperdido, cerradaperdida, rechazado, cancelado, perso, persa,
            chiusoperso, chiusapersa, annullato, rifiutato, geslotenverloren, afgewezen, geannuleerd,
            fechadoperdido, fechadaperdida, cancelada, geschlossenundverloren, clôturéeperdue,
            clôturéperdu, cierreperdido, afgeslotenverloren, fechadoeperdido, deleted, nobid, junk, spam,
            duplicate, closeddead, affaireperdue, negocioperdido, geschäftverloren, outofbusiness,
            keininteresse, notinterested, opportunitylost, lostdeal, negócioperdido, affareperso,
            opdrachtverloren, auftragverloren, nogo, absage}'::text[]) THEN
            RETURN 'lost';
        ELSIF v_word = ANY ('{
            develop, propose, lead, newlead, leadin, leads, new, open, prospect, prospecting, prospects,
            qualified, qualification, qualify, qualifiedtobuy, needsanalysis, needanalysis,
            valueproposition, iddecisionmakers, identifydecisionmakers, decisionmakerboughtin,
            decisionmakersboughtin, perceptionanalysis, proposal, proposalpricequote, proposalquote,
            proposalmade, proposalsent, proposition, pipeline, negotiation, negotiations,
            negotiationreview, negotiationsstarted, negotiationstarted, negotiating, contractsent,
            contract, appointmentscheduled, appointment, meeting, meetingscheduled, meetingarranged,
            presentationscheduled, presentation, demo, demoscheduled, demodone, contactmade, contacted,
            screening, discovery, quote, quotesent, quoted, offer, offersent, inprogress, onhold, pending,
            evaluation, engaging, engaged, technicalevaluation, trial, poc, pilot, committed, bestcase,
            upside, verbalcommit, verbalagreement, procurement, working, nurturing, nurture, followup,
            interessent, neu, offen, qualifiziert, qualifizierung, bedarfsanalyse, angebot,
            angeboterstellt, angebotversendet, angebotabgegeben, angebotgesendet, verhandlung,
            inverhandlung, verhandlungen, vertragversendet, vertrag, terminvereinbart, kontaktaufgenommen,
            erstkontakt, inbearbeitung, entscheidung, präsentation, nouveau, nouvelle, ouvert, ouverte,
            qualifie, qualifié, qualifiée, analysedesbesoins, propositionenvoyée, devis, devisenvoyé,
            devisenvoye, négociation, negociation, rendezvous, rendezvousplanifié, encours, contratenvoyé,
            prospection, nuevo, nueva, abierto, abierta, calificado, cualificado, calificación,
            cualificación, propuesta, propuestaenviada, presupuesto, presupuestoenviado, cotización,
            cotizacion, negociación, enproceso, contratoenviado, reunión, nuovo, nuova, aperto, aperta,
            qualificato, qualificazione, proposta, propostainviata, preventivo, preventivoinviato, offerta,
            trattativa, negoziazione, incorso, contratto, nieuw, nieuwe, gekwalificeerd, kwalificatie,
            voorstel, voorstelverzonden, offerte, offerteverzonden, onderhandeling, inbehandeling,
            afspraak, novo, nova, aberto, aberta, qualificado, qualificação, qualificacao, propostaenviada,
            orçamento, orcamento, negociação, negociacao, emandamento, reunião, quotation, quotationsent,
            erstgespräch, bedarfsermittlung, angebotpreisangebot, verhandlungüberprüfung, termingeplant,
            präsentationgeplant, vertraggesendet, akquise, propositiondevaleur, identificationdesdécideurs,
            propositiondevis, négociationrévision, présentationplanifiée, prospección,
            análisisdenecesidades, propuestadevalor, propuestacotización, negociaciónrevisión,
            citaprogramada, presentaciónprogramada, prospezione, analisidelleesigenze, propostapreventivo,
            negoziazionerevisione, appuntamentofissato, contrattoinviato, prospectie, behoefteanalyse,
            afspraakgepland, contractverzonden, prospecção, análisedenecessidades, negociaçãorevisão,
            reuniãoagendada, angebotoffen, inprüfung, premièreprisedecontact, primercontacto,
            primocontatto, eerstecontact, primeirocontato, propostacomercial, propositioncommerciale,
            propuestacomercial, voorstelgedaan, demogeplant, démoplanifiée, solicitud,
            qualifizierungsphase, needsassessment, verbal, legalreview, underreview}'::text[]) THEN
            RETURN 'open';
        END IF;
    WHEN 'order_status' THEN
        IF v_word = ANY ('{
            cancelled, canceled, cancel, cancelledbycustomer, canceledbycustomer, cancellationrequested,
            cancelrequested, void, voided, rejected, failed, declined, storniert, abgebrochen, annulliert,
            annulé, annule, annulée, annulee, cancelado, cancelada, anulado, anulada, annullato, annullata,
            geannuleerd, nomoney, denied, refused, deleted, trash, stornierung, storno, rechazado,
            rifiutato, afgewezen, recusado, refusé, canceledreversal, cancelledbyseller, gecancelled,
            gecanceld, wccancelled, wcfailed, trashed}'::text[]) THEN
            RETURN 'cancelled';
        ELSIF v_word = ANY ('{
            returned, return, returns, returnrequested, returninprogress, returnpending, partiallyreturned,
            partialreturn, refunded, refund, refundrequested, refundpending, partiallyrefunded,
            partialrefund, chargeback, disputed, exchanged, replacementrequested, zurückgesendet,
            zurueckgesendet, retourniert, retoure, rückgabe, rueckgabe, erstattet, rückerstattet,
            teilweiseerstattet, retourné, retourne, retournée, remboursé, rembourse, remboursée,
            partiellementremboursé, devuelto, devuelta, reembolsado, reembolsada, reso, restituito,
            rimborsato, rimborsata, geretourneerd, retour, terugbetaald, devolvido, devolvida, reversed,
            rma, teilerstattet, zurückgegeben, parcialmentereembolsado, estornado, returnedtosender,
            undeliverable, lostintransit, damaged, returnreceived, retourontvangen, dispute, wcrefunded,
            zurückgeschickt, retourencours, endevolución, inreso, teruggestuurd, emdevolução,
            zurückanabsender}'::text[]) THEN
            RETURN 'returned';
        ELSIF v_word = ANY ('{
            delivered, delivery, deliveredtocustomer, completed, complete, completedorder, fulfilled,
            fullyfulfilled, closed, done, received, installed, paid, invoiced, fullyinvoiced, picked,
            pickedup, collected, activated, geliefert, ausgeliefert, zugestellt, abgeschlossen, erledigt,
            abgeholt, bezahlt, livré, livre, livrée, livree, terminé, termine, terminée, entregado,
            entregada, completado, completada, finalizado, consegnato, consegnata, completato, evaso,
            geleverd, bezorgd, afgerond, voltooid, entregue, concluído, concluido, concluída, wccompleted,
            locked, shippedanddelivered, deliveredinstalled, deliveredinfull, vollständiggeliefert,
            livréauclient, entregadoalcliente, consegnatoalcliente, afgeleverd, entregueaocliente}'::text[]) THEN
            RETURN 'delivered';
        ELSIF v_word = ANY ('{
            new, open, draft, pending, processing, inprogress, confirmed, approved, submitted, active,
            accepted, shipped, intransit, outfordelivery, partiallyshipped, partiallydelivered,
            partiallyfulfilled, onhold, backordered, sale, salesorder, neu, offen, inbearbeitung,
            bestätigt, bestaetigt, versandt, versendet, unterwegs, encours, confirmé, confirme, expédié,
            expedie, nuevo, abierto, enproceso, confirmado, enviado, nuovo, aperto, inlavorazione,
            confermato, spedito, nieuw, inbehandeling, bevestigd, verzonden, novo, aberto, emprocessamento,
            pendingpayment, wcprocessing, sent, quotation, created, partial, expédiée, enattente,
            pendiente, inattesa, pendente, awaitingshipment, awaitingpayment, readytoship, confirmée,
            wconhold, wcpending, labelprinted, inpreparation, enpréparation, enpreparación, inpreparazione,
            invoorbereiding, empreparação, unfulfilled}'::text[]) THEN
            RETURN 'open';
        END IF;
    WHEN 'case_status' THEN
        IF v_word = ANY ('{
            closed, resolved, solved, done, completed, complete, cancelled, canceled, rejected, duplicate,
            merged, invalid, wontfix, notabug, fixed, archived, closedresolved, closedunresolved,
            closedduplicate, informationprovided, problemsolved, answered, deflected, spam, geschlossen,
            gelöst, geloest, erledigt, abgeschlossen, beendet, behoben, abgelehnt, duplikat, storniert,
            fermé, ferme, fermée, résolu, resolu, résolue, clos, close, terminé, termine, rejeté, doublon,
            cerrado, cerrada, resuelto, resuelta, solucionado, completado, rechazado, duplicado, chiuso,
            chiusa, risolto, risolta, completato, rifiutato, gesloten, opgelost, afgehandeld, afgesloten,
            voltooid, fechado, fechada, resolvido, resolvida, concluído, concluido, rejeitado,
            closedclosed, closedrejected, clôturé, encerrado, autoclosed, closednoresponse, beantwortet,
            completedclosed, finished, closednoaction, geschlossengelöst, closedwithoutresolution,
            clôturée, résolufermé, afgewezen, annullato, annulé, cancelado, geannuleerd, cancelada}'::text[]) THEN
            RETURN 'closed';
        ELSIF v_word = ANY ('{
            new, open, opened, reopened, assigned, inprogress, working, workinprogress, pending,
            pendinginput, onhold, waiting, waitingforcustomer, waitingforcontact, waitingonus,
            waitingoncontact, waitingforresponse, waitingfordetails, researching, escalated, active,
            unassigned, investigating, acknowledged, neu, offen, zugewiesen, inbearbeitung, wartend,
            wartetaufkunde, wartetaufantwort, eskaliert, wiedereröffnet, nouveau, ouvert, ouverte, encours,
            enattente, assigné, nuevo, abierto, abierta, enproceso, enespera, asignado, reabierto, nuovo,
            aperto, aperta, incorso, inattesa, assegnato, nieuw, inbehandeling, wachtend, toegewezen,
            heropend, novo, aberto, aberta, emandamento, pendente, aguardando, opennew, openassigned,
            openpendinginput, wachtopklant, aguardandocliente, rückfrage, waitingonthirdparty,
            wartenaufkunden, waitingoncustomer, inbearbeitungbeikunde, enattenteduclient,
            enesperadelcliente, inattesadelcliente, wachtenopklant, untersucht, inreview, todo, backlog,
            triage, snoozed}'::text[]) THEN
            RETURN 'open';
        END IF;
    ELSE
        RAISE EXCEPTION 'no kind of words %', p_kind USING ERRCODE = 'invalid_parameter_value';
    END CASE;
    RETURN NULL;
END
$$;
